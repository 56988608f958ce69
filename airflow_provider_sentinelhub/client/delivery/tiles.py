"""Tiles as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.client.delivery.geometry import Bounds


@dataclass
class Tile:
    """One tile: ``bounds`` are minx, miny, maxx, maxy in ``crs``, ``width`` and ``height`` pixels.

    ``outputs`` gives the location of each output, ``{"NDVI": "s3://…/NDVI.tif"}``; of a Zarr delivery the
    array, which all tiles share.
    """

    name: str
    crs: str
    bounds: Bounds
    width: int
    height: int
    outputs: dict[str, str] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "name": self.name,
            "crs": self.crs,
            "bounds": list(self.bounds),
            "width": self.width,
            "height": self.height,
            "outputs": dict(self.outputs),
        }


@dataclass(frozen=True)
class LostTile:
    """A tile that was not delivered: ``state`` is ``failed``, ``pending`` or ``missing``."""

    name: str
    state: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} ({self.state}{': ' + self.reason if self.reason else ''})"
