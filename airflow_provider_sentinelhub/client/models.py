"""What the service says, as values: unknown fields are left out, unknown statuses are called unknown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import GarbledReplyError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The service's clock, by which it dates requests, and ours may differ by so much.
CLOCK_SKEW = timedelta(minutes=15)


class BatchStatus(str, Enum):
    """Statuses of a batch request; `UNKNOWN` is every other one."""

    CREATED = "CREATED"
    ANALYSING = "ANALYSING"
    ANALYSIS_DONE = "ANALYSIS_DONE"
    PROCESSING = "PROCESSING"
    DONE = "DONE"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def _missing_(cls, value: object) -> BatchStatus:  # noqa: ARG003
        return cls.UNKNOWN

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class BatchRequest:
    """A batch request as the service described it at one moment (the API's ``BatchV2ProcessTask``).

    ``definition`` is the service's echo of what was sent: defaults filled in, bucket keys masked. It is not
    printed. ``cost_pu`` is what was spent so far, in processing units.
    """

    id: str
    status: BatchStatus
    raw_status: str = ""
    user_action: str = ""
    stopped_reason: str = ""
    error: str = ""
    completion_percentage: float | None = None
    cost_pu: float | None = None
    description: str = ""
    created: datetime | None = None
    last_updated: datetime | None = None
    user_action_updated: datetime | None = None
    definition: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def from_wire(cls, body: Any) -> BatchRequest:
        """Read an answer of the service; `GarbledReplyError` if it is not a batch request."""
        if not isinstance(body, dict) or not isinstance(body.get("id"), str):
            raise GarbledReplyError("The service's answer is not a batch request: it has no id.")
        raw_status = str(body.get("status") or "")
        definition = body.get("request")
        definition = definition if isinstance(definition, dict) else {}
        return cls(
            id=body["id"],
            status=BatchStatus(raw_status),
            raw_status=raw_status,
            user_action=str(body.get("userAction") or ""),
            stopped_reason=str(body.get("stoppedStatusReason") or ""),
            error=str(body.get("error") or ""),
            completion_percentage=number_or_none(body.get("completionPercentage")),
            cost_pu=number_or_none(body.get("costPU")),
            description=str(definition.get("description") or body.get("description") or ""),
            created=read_instant(body.get("created")),
            last_updated=read_instant(body.get("lastUpdated")),
            user_action_updated=read_instant(body.get("userActionUpdated")),
            definition=definition,
        )

    @property
    def progress(self) -> str:
        """One line on where the request is: status, percentage and PU as far as they are known."""
        parts = [self.raw_status or "no status"]
        if self.completion_percentage is not None:
            parts.append(f"{self.completion_percentage:g} %")
        if self.cost_pu is not None:
            parts.append(f"{self.cost_pu:.2f} PU spent")
        return ", ".join(parts)


@dataclass(frozen=True)
class TilingGrid:
    """A tiling grid: tile size in ``unit`` (METRE or DEGREE), and the resolutions it is offered in."""

    id: int
    name: str
    tile_width: float | None
    tile_height: float | None
    unit: str
    resolutions: tuple[float, ...]

    @classmethod
    def from_wire(cls, body: Any) -> TilingGrid:
        """Read an answer of the service; `GarbledReplyError` if it is not a tiling grid."""
        if not isinstance(body, dict) or not isinstance(body.get("id"), int):
            raise GarbledReplyError("The service's answer is not a tiling grid: it has no id.")
        properties = body.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        return cls(
            id=body["id"],
            name=str(body.get("name") or ""),
            tile_width=number_or_none(properties.get("tileWidth")),
            tile_height=number_or_none(properties.get("tileHeight")),
            unit=str(properties.get("unit") or ""),
            resolutions=tuple(sorted(float(r) for r in properties.get("resolutions") or ())),
        )


def number_or_none(value: Any) -> float | None:
    """Read a number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def read_instant(value: Any) -> datetime | None:
    """Read a date-time with any number of decimals (Python 3.10 accepts three or six of them)."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?", str(value or ""))
    if match is None:
        return None
    seconds, decimals, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z") else zone
    try:
        return datetime.fromisoformat(f"{seconds}.{(decimals or '0')[:6]:0<6}{zone}")
    except ValueError:
        return None
