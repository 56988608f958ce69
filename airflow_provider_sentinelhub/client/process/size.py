"""How large an image is in pixels, and what the service makes of that."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.crs import CRS84, epsg, is_lon_lat, project
from airflow_provider_sentinelhub.client.definition.rules import Choice, Listed, Number
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.client.areas import Area

MAX_PIXELS = 2500  # a side
METRE, CRS_UNIT = "metre", "crs"

Box = tuple[float, float, float, float]
Pair = tuple[float, float]

# Meridians between the UTM zones of south-west Norway and of Svalbard: latitudes, first zone, meridians.
_NORWAY = ((56.0, 64.0, (31, 32), (3.0, 12.0)), (72.0, 84.0, (31, 33, 35, 37), (9.0, 21.0, 33.0, 42.0)))


def bbox_to_dimensions(bounds: Box, resolution: float | Pair, crs: str = CRS84) -> tuple[int, int]:
    """Return width and height in pixels of a box at a resolution in metres, one or that in x and y.

    ``bounds`` are minx, miny, maxx, maxy in ``crs``, a URL that the service knows. The formula is that of
    sentinelhub-py's function of this name: the two corners are brought to the UTM zone of the box's middle,
    and the distances between them in x and y are divided and rounded. Needs pyproj unless ``crs`` is UTM.
    """
    across, up = extent(bounds, crs, METRE)
    x, y = (resolution, resolution) if isinstance(resolution, int | float) else resolution
    return round(across / x), round(up / y)


def extent(bounds: Box, crs: str, unit: str) -> Pair:
    """Return how far a box reaches in x and y, in units of its CRS or in metres (those of UTM)."""
    west, south, east, north = bounds
    if unit == METRE and epsg(crs) // 100 not in (326, 327):
        from shapely import LineString, Point

        middle = Point((west + east) / 2, (south + north) / 2)
        if not is_lon_lat(crs):
            middle = project(middle, crs, CRS84)
        there = project(LineString([(west, south), (east, north)]), crs, _utm_crs(middle.x, middle.y))
        (west, south), (east, north) = there.coords
    return abs(east - west), abs(north - south)


def _utm_crs(lon: float, lat: float) -> str:
    from airflow_provider_sentinelhub.client.crs import utm_crs

    for south, north, zones, meridians in _NORWAY:
        # Up to 84 degrees, included: there the zones end.
        if south <= lat < north + (north == 84) and 0 <= lon < meridians[-1]:
            zone = next(zone for zone, east in zip(zones, meridians, strict=True) if lon < east)
            return utm_crs(6 * zone - 183, lat)
    return utm_crs(lon, lat)


@dataclass(frozen=True)
class Size:
    """The size of an image: in pixels, or by a resolution, in metres or in units of the area's CRS."""

    pixels: Any = None
    resolution: Any = None
    unit: Any = METRE

    def of(self, area: Area | None, faults: list[Fault]) -> tuple[int, int]:
        """Return width and height; (0, 0) where a fault says why there is none."""
        if (self.pixels is None) == (self.resolution is None):
            problem = "is missing" if self.pixels is None else "is given beside resolution"
            remedy = "Give size=(width, height) in pixels or resolution= in metres"
            faults.append(Fault("size", problem, remedy))
            return 0, 0
        before = len(faults)
        if self.pixels is not None:
            sides = Listed(Number(1, MAX_PIXELS, whole=True), 2)(_numbers(self.pixels), "size", faults)
            return (0, 0) if len(faults) > before else (sides[0], sides[1])
        unit = Choice((METRE, CRS_UNIT))(self.unit, "resolution_unit", faults)
        steps = _numbers(self.resolution)
        if isinstance(steps, Sequence) and len(steps) == 2:
            steps = Listed(Number(above=0))(steps, "resolution", faults)
        else:
            alone = steps[0] if isinstance(steps, Sequence) and len(steps) == 1 else self.resolution
            steps = [Number(above=0)(alone, "resolution", faults)] * 2
        if area is None or len(faults) > before:
            return 0, 0
        return self._measured(area, (steps[0], steps[1]), unit, faults)

    def _measured(self, area: Area, steps: Pair, unit: str, faults: list[Fault]) -> tuple[int, int]:
        lengths = extent(area.bounds, area.crs, unit)
        width, height = (round(length / step) for length, step in zip(lengths, steps, strict=True))
        sign = "m" if unit == METRE else "units of its CRS"
        if max(width, height) > MAX_PIXELS:
            # What keeps the ratio of the two resolutions.
            times = max(width, height) / MAX_PIXELS
            fitting = ", ".join(dict.fromkeys(_rounded_up(step * times) for step in steps))
            faults.append(
                Fault(
                    "resolution",
                    f"makes an image of {width} x {height} pixels, more than the {MAX_PIXELS} a side "
                    "that the service renders",
                    f"Give {fitting} {sign} or more, or a smaller area",
                )
            )
        elif min(width, height) < 1:
            faults.append(
                Fault(
                    "resolution",
                    f"is too coarse for an area of {lengths[0]:.6g} x {lengths[1]:.6g} {sign}",
                    f"Give {_rounded_down(min(lengths))} {sign} or less",
                )
            )
        return width, height


def _numbers(value: Any) -> Any:
    """Read the list that a text stands for: it may come out of Jinja."""
    return [part for part in re.split(r"[\s,;x()\[\]]+", value) if part] if isinstance(value, str) else value


def _rounded_up(number: float) -> str:
    unit = 10.0 ** (math.floor(math.log10(number)) - 2)
    return f"{math.ceil(number / unit) * unit:.10g}"


def _rounded_down(number: float) -> str:
    unit = 10.0 ** (math.floor(math.log10(number)) - 2)
    return f"{math.floor(number / unit) * unit:.10g}"
