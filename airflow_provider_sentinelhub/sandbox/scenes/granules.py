"""What a pass is cut into: Sentinel-2's tiles, 109.8 km squares laid on the 100 km squares of MGRS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.scenes import sky
from airflow_provider_sentinelhub.sandbox.scenes.lattice import to_lonlat, world

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.scenes.lattice import Lattice

_SQUARE = 100_000.0
_SIZE = 109_800.0
_EARTH_RADIUS = 6_371_000.0
_LEAST_COSINE = 0.08  # there are no granules beyond 85 degrees
_BANDS = "CDEFGHJKLMNPQRSTUVWX"
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")  # by zone modulo 3
_ROWS = "ABCDEFGHJKLMNPQRSTUV"


@dataclass(frozen=True)
class Granule:
    """One tile of the Sentinel-2 tiling grid.

    :ivar epsg: of its UTM zone, 326xx or 327xx
    :ivar column, row: easting and northing of its square's south-west corner / 100 km
    """

    epsg: int
    column: int
    row: int

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """UTM metres: the square, 9.8 km more to the east and to the south."""
        west, north = self.column * _SQUARE, (self.row + 1) * _SQUARE
        return west, north - _SIZE, west + _SIZE, north

    @cached_property
    def latitude(self) -> float:
        """Of the middle."""
        middle = (self.column + 0.5) * _SQUARE, (self.row + 0.5) * _SQUARE
        return float(to_lonlat(self.epsg).transform(*middle)[1])

    @property
    def name(self) -> tuple[str, str, str]:
        """Zone, latitude band and square, e.g. ``("33", "T", "WM")``."""
        zone = self.epsg % 100
        band = _BANDS[max(0, min(19, math.floor((self.latitude + 80) / 8)))]
        column = _COLUMNS[zone % 3][self.column - 1]
        row = _ROWS[(self.row + (5 if zone % 2 == 0 else 0)) % 20]
        return str(zone), band, column + row

    def in_zone(self, west_meridian: float) -> bool:
        """Say whether the square touches the six degrees of its zone; there are no others."""
        west, south = self.column * _SQUARE, self.row * _SQUARE
        corners = [(west + dx, south + dy) for dx in (0, _SQUARE) for dy in (0, _SQUARE)]
        lons = [to_lonlat(self.epsg).transform(*corner)[0] - west_meridian for corner in corners]
        turned = [(lon + 180) % 360 for lon in lons]
        return bool(min(turned) < 186 and max(turned) > 180)

    def inside(self, lattice: Lattice) -> NDArray[np.float32]:
        """Return the distance in metres of the nodes to the nearest edge, positive inside."""
        return lattice.keep(self, lambda: self._inside(*lattice.utm(self.epsg)))

    def _inside(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
        west, south, east, north = self.bounds
        nearest = np.minimum(np.minimum(x - west, east - x), np.minimum(y - south, north - y))
        rounded: NDArray[np.float32] = np.round(nearest, 1).astype(np.float32)
        return rounded

    def cloud_cover(self, day: date) -> float:
        """Return the share under clouds, percent."""
        return _cloud_cover(self, day)

    def geometry(self) -> dict[str, Any]:
        """Return its outline, in the form in which evalscripts are given it (assumed)."""
        west, south, east, north = self.bounds
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{self.epsg}"}}
        return {"type": "Polygon", "crs": crs, "coordinates": [ring]}


def beyond(latitude: float) -> float:
    """Return how many degrees of longitude the granules of a zone may reach into the next at a latitude."""
    return math.degrees(_SIZE / _EARTH_RADIUS / max(math.cos(math.radians(latitude)), _LEAST_COSINE))


def covering(lattice: Lattice) -> list[Granule]:
    """Return the granules that a tile touches, by name; near the edge of a zone, also those of the next."""
    lon, lat = lattice.lonlat
    more = beyond(float(np.max(np.abs(lat))))
    hemispheres = [32600] * bool(np.max(lat) >= 0) + [32700] * bool(np.min(lat) < 0)
    first, last = (math.floor((edge + 180) / 6) for edge in (np.min(lon) - more, np.max(lon) + more))
    zones = range(first, last + 1)
    granules: list[Granule] = []
    for zone in sorted({zone % 60 for zone in zones}):
        for hemisphere in hemispheres:
            granules += _in_zone(lattice, hemisphere + zone + 1, zone * 6.0 - 180)
    return sorted(granules, key=lambda granule: granule.name)


def _in_zone(lattice: Lattice, epsg: int, west_meridian: float) -> list[Granule]:
    east, north = (nodes[lattice.inner] for nodes in lattice.utm(epsg))
    overlap = _SIZE - _SQUARE
    columns = range(math.floor((east.min() - overlap) / _SQUARE), math.floor(east.max() / _SQUARE) + 1)
    first, last = math.floor(north.min() / _SQUARE), math.floor((north.max() + overlap) / _SQUARE)
    rows = range(max(first, 0), last + 1) if epsg < 32700 else range(first, min(last, 99) + 1)
    squares = [Granule(epsg, column, row) for column in columns if 1 <= column <= 8 for row in rows]
    return [
        granule
        for granule in squares
        if granule.in_zone(west_meridian) and (granule.inside(lattice)[lattice.inner] > 0).any()
    ]


@lru_cache(maxsize=4096)
def _cloud_cover(granule: Granule, day: date) -> float:
    west, south, east, north = granule.bounds
    xs, ys = np.meshgrid(np.linspace(west, east, 24), np.linspace(south, north, 24))
    lon, lat = (np.asarray(degrees) for degrees in to_lonlat(granule.epsg).transform(xs, ys))
    clouds = sky.thickness(*world(lon, lat), lat, day)
    return round(float((clouds > 0.2).mean()) * 100, 2)
