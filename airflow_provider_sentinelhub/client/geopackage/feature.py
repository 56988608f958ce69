"""One feature, and the service's rules for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.crs import CRS84, crs_url, is_lon_lat
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapely.geometry.base import BaseGeometry

MAX_FEATURES = 700_000
MAX_PIXELS = 3500  # on a side


@dataclass(frozen=True)
class Feature:
    """A polygon or multipolygon in ``crs`` (URL or ``EPSG:n``; x, y), processed to its bounding box.

    ``identifier`` names the output (``<tileName>``) and is unique in the file. ``width`` and ``height`` in
    pixels, or ``resolution`` in the CRS's unit; if both are given, the service goes by the pixels.
    """

    identifier: str
    geometry: BaseGeometry
    crs: str = CRS84
    width: int | None = None
    height: int | None = None
    resolution: float | None = None

    @property
    def sized(self) -> bool:
        """Whether anything is said about its size."""
        return (self.width, self.height, self.resolution) != (None, None, None)

    @property
    def pixels(self) -> tuple[int, int] | None:
        """Width and height, None where nothing is said about them."""
        if self.width is not None and self.height is not None:
            return self.width, self.height
        if self.resolution is None or self.geometry.is_empty:
            return None
        west, south, east, north = self.geometry.bounds
        # The service's rounding is unknown; up is assumed.
        columns, rows = (math.ceil(round(side / self.resolution, 6)) for side in (east - west, north - south))
        return columns, rows

    def faults(self) -> Iterator[Fault]:
        """Name what the service would refuse; ``field`` is the column."""
        if not isinstance(self.identifier, str) or not self.identifier:
            yield Fault("identifier", "is missing", "Give every feature a name of its own")
        lon_lat = False
        try:
            lon_lat = is_lon_lat(crs_url(self.crs))
        except ValueError as error:
            yield Fault("crs", str(error), "Reproject it, for instance to its UTM zone")
        yield from self._geometry_faults()
        if self.width is not None or self.height is not None:
            for name, value in (("width", self.width), ("height", self.height)):
                if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_PIXELS:
                    yield Fault(
                        name, f"{value!r} is not 1 to {MAX_PIXELS} pixels", "Give both, or a resolution"
                    )
        elif self.resolution is None:
            yield Fault("resolution", "is missing", "Give a resolution, or width and height")
        elif not 0 < self.resolution < math.inf:
            yield Fault("resolution", f"{self.resolution!r} is not above 0", "Give it in the unit of the CRS")
        elif lon_lat and self.resolution >= 1:
            yield Fault("resolution", f"{self.resolution!r} is in degrees here", "Give one such as 0.0001")
        elif self.pixels and max(self.pixels) > MAX_PIXELS:
            yield Fault(
                "resolution",
                f"makes it {self.pixels[0]} x {self.pixels[1]} pixels, more than {MAX_PIXELS} on a side",
                "Give a coarser one, or cut it along a grid",
            )

    def _geometry_faults(self) -> Iterator[Fault]:
        from shapely import is_valid_reason

        kind = self.geometry.geom_type
        if kind not in ("Polygon", "MultiPolygon"):
            yield Fault("geometry", f"is a {kind}", "Give polygons or multipolygons")
        elif self.geometry.is_empty:
            yield Fault("geometry", "is empty", "Leave the feature out")
        elif not self.geometry.is_valid:
            yield Fault(
                "geometry", f"is not valid: {is_valid_reason(self.geometry)}", "Mend it, with make_valid"
            )
