"""What the store holds: accounts, requests and their tiles, as values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import sqlite3


@dataclass(frozen=True)
class Account:
    """A client of the API; it sees only the requests of its project."""

    client_id: str
    client_secret: str
    project_id: str
    workspace_id: str
    balance_pu: float


@dataclass(frozen=True)
class Task:
    """A batch request as stored. Times are seconds since the epoch on the sandbox's clock.

    ``body`` is the request with defaults filled in and credentials in it: never send it out unmasked.
    ``polls`` counts calls for this request. A *mark* is the point from which a phase is paced: time, polls
    and tiles done when it began; ``action_polls`` is the like for the last user action.
    """

    seq: int
    id: str
    project_id: str
    body: dict[str, Any]
    description: str | None
    status: str
    user_action: str
    user_action_updated: float | None
    action_polls: int
    created: float
    last_updated: float
    error: str | None
    stopped_reason: str | None
    stopped_at: float | None
    cost_pu: float
    picked_up: bool
    polls: int
    mark_time: float
    mark_polls: int
    mark_tiles: int
    tiles_total: int
    tiles_done: int
    previous_status: str | None
    stale_polls: int

    @classmethod
    def of(cls, row: sqlite3.Row) -> Task:
        """Read a row of the store."""
        values = dict(row)
        values["body"] = json.loads(values["body"])
        values["picked_up"] = bool(values["picked_up"])
        return cls(**values)


@dataclass(frozen=True)
class TileRow:
    """One tile of a request: bounds in its CRS and size in pixels, buffers included in both."""

    ordinal: int
    id: int
    name: str
    epsg: int
    bounds: tuple[float, float, float, float]
    width: int
    height: int
    status: Literal["PENDING", "DONE", "FATAL"] = "PENDING"
    error: str | None = None
    delivered: bool = False

    @classmethod
    def of(cls, row: sqlite3.Row) -> TileRow:
        """Read a row of the store."""
        return cls(
            ordinal=row["ordinal"],
            id=row["id"],
            name=row["name"],
            epsg=row["epsg"],
            bounds=(row["min_x"], row["min_y"], row["max_x"], row["max_y"]),
            width=row["width"],
            height=row["height"],
            status=row["status"],
            error=row["error"],
            delivered=bool(row["delivered"]),
        )

    def columns(self) -> tuple[object, ...]:
        """Return the values of a row, in order."""
        size = (self.width, self.height)
        outcome = (self.status, self.error, self.delivered)
        return (self.ordinal, self.id, self.name, self.epsg, *self.bounds, *size, *outcome)
