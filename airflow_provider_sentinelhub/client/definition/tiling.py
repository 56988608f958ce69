"""What is rendered piece by piece: the tiles of a grid, or the features of a GeoPackage."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.definition.rules import Number, shown
from airflow_provider_sentinelhub.client.definition.storage import Names, Storage
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_sentinelhub.client.models import TilingGrid

_RESOLUTION = Number(above=0)
_PIXELS = Number(1, 3500, whole=True)
_BUFFER = Number(0, 2**15 - 1, whole=True)
_NAMES = Names(
    url="geopackage.url",
    aws="geopackage.aws_conn_id",
    google="geopackage.gcp_conn_id",
    role="geopackage.iam_role_arn",
    region="geopackage.region",
)


@dataclass(frozen=True)
class GeoPackage(Storage):
    """A GeoPackage whose features are rendered instead of a grid's tiles: ``s3://bucket/fields.gpkg``.

    Without credentials of its own those of the delivery are used. ``width`` and ``height`` in pixels, or
    ``resolution`` in the unit of the features' CRS, hold for features that have none.
    """

    width: int | None = None
    height: int | None = None
    resolution: float | None = None

    def opened_by(self, delivery: Storage | None) -> GeoPackage:
        """Return it with the credentials of the delivery if it has none of its own."""
        own = self.keys or self.iam_role_arn or self.google_key
        if own or delivery is None or delivery.scheme != self.scheme:
            return self
        return replace(
            self,
            keys=delivery.keys,
            iam_role_arn=delivery.iam_role_arn,
            region=self.region or delivery.region,
            google_key=delivery.google_key,
        )

    def settled(self, faults: list[Fault]) -> dict[str, Any]:
        """Return the API's ``input``."""
        faults.extend(self.url_faults(_NAMES, "s3://my-bucket/fields.gpkg"))
        key = str(self.url).partition("://")[2].partition("/")[2]
        if self.scheme in ("s3", "gs") and (not key or key.endswith("/") or "<" in key):
            faults.append(
                Fault(
                    _NAMES.url,
                    f"{self.url!r} is not the URL of one file",
                    "Give the file's own, such as s3://my-bucket/fields.gpkg",
                )
            )
        rules = {"width": _PIXELS, "height": _PIXELS, "resolution": _RESOLUTION}
        defaults = {
            name: rule(value, f"geopackage.{name}", faults)
            for name, rule in rules.items()
            if (value := getattr(self, name)) is not None
        }
        if len({"width", "height"} & defaults.keys()) == 1:
            missing = "height" if "width" in defaults else "width"
            remedy = "Give width and height, or resolution"
            faults.append(Fault(f"geopackage.{missing}", "is missing beside the other", remedy))
        wire = {"type": "geopackage", "features": self.to_wire()}
        return wire | ({"defaults": defaults} if defaults else {})

    def access(self) -> Iterator[Fault]:
        """Name what is wrong with the credentials."""
        return self.access_faults(_NAMES)


def grid_wire(grid_id: Any, resolution: Any, buffer: Any, faults: list[Fault]) -> dict[str, Any]:
    """Return the API's ``input`` for a tiling grid."""
    wire: dict[str, Any] = {"type": "tiling-grid"}
    if grid_id is None:
        remedy = "Give a grid's id, such as 1 (UTM, 10 km tiles), or a geopackage instead"
        faults.append(Fault("tiling_grid_id", "is missing", remedy))
    else:
        wire["id"] = Number(0, whole=True)(grid_id, "tiling_grid_id", faults)
    if resolution is None:
        remedy = "Give the size of a pixel in the grid's unit, one that the grid offers"
        faults.append(Fault("resolution", "is missing", remedy))
    else:
        found = _RESOLUTION(resolution, "resolution", faults)
        wire["resolution"] = float(found) if isinstance(found, int) else found
    if isinstance(buffer, str) or not hasattr(buffer, "__len__") or len(buffer) != 2:
        faults.append(
            Fault("buffer", f"{shown(buffer)} is not two numbers of pixels", "Give (x, y), such as (50, 50)")
        )
        return wire
    for name, letter, pixels in zip(("bufferX", "bufferY"), "xy", buffer, strict=True):
        found = _BUFFER(pixels, f"buffer ({letter})", faults)
        wire |= {name: found} if found else {}
    return wire


def offer_faults(wire: dict[str, Any], grids: Sequence[TilingGrid]) -> Iterator[Fault]:
    """Hold an ``input`` that is sound in itself against the grids that the service offers."""
    number, resolution = wire.get("id"), wire.get("resolution")
    grid = next((g for g in grids if g.id == number), None)
    if grid is None and isinstance(number, int):
        offered = "; ".join(f"{g.id} ({g.name})" for g in sorted(grids, key=lambda g: g.id))
        yield Fault("tiling_grid_id", f"there is no grid {number}", f"Choose one of {offered}")
    elif (
        grid is not None
        and isinstance(resolution, float)
        and not any(math.isclose(resolution, r) for r in grid.resolutions)
    ):
        offered = ", ".join(f"{r:g}" for r in grid.resolutions)
        yield Fault(
            "resolution",
            f"grid {grid.id} ({grid.name}) does not have {resolution:g}",
            f"Choose one of {offered} ({grid.unit.lower()})",
        )
