"""Where pixels are: from a CRS to longitude, latitude and the scenes' own world metres."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.scenes import noise

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import NDArray
    from pyproj import Transformer

EARTH_RADIUS = 6_378_137.0
METRES_PER_DEGREE = math.pi / 180 * EARTH_RADIUS
# World metres are Mercator's, which keeps angles and has no seams, made true at 40° north and south.
_WORLD_SCALE = EARTH_RADIUS * math.cos(math.radians(40))
# Metres around a tile: what throws a shadow into it, or is interpolated from coarser pixels, lies there.
_MARGIN = 1100.0
# Metres between nodes, unless eight pixels are less or one is more.
_FINEST = 240.0


@lru_cache(maxsize=256)
def to_lonlat(epsg: int) -> Transformer:
    """Return the transformer from that CRS (x, y order) to longitude and latitude."""
    from pyproj import Transformer

    return Transformer.from_crs(epsg, 4326, always_xy=True)


@lru_cache(maxsize=256)
def metres_per_unit(epsg: int) -> float:
    """Return the metres in a unit of the CRS; a degree's are those of the equator."""
    from pyproj import CRS

    return METRES_PER_DEGREE if CRS.from_epsg(epsg).is_geographic else 1.0


def world(
    lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn longitude and latitude into world metres, eastwards and northwards."""
    # Rounded to the centimetre: the last bits of sin and arctanh depend on the machine.
    east = np.round(np.radians(lon) * _WORLD_SCALE, 2)
    north = np.round(np.arctanh(np.sin(np.radians(lat))) * _WORLD_SCALE, 2)
    return east, north


@dataclass(frozen=True)
class Grid:
    """Pixel centres of a north-up raster: x of the columns, y of the rows (falling), in CRS units."""

    epsg: int
    xs: NDArray[np.float64]
    ys: NDArray[np.float64]

    @classmethod
    def of_tile(cls, epsg: int, bounds: tuple[float, float, float, float], width: int, height: int) -> Grid:
        """Return the grid of a raster with these bounds (minx, miny, maxx, maxy) and size in pixels."""
        west, south, east, north = bounds
        xs = west + (np.arange(width) + 0.5) * ((east - west) / width)
        ys = north - (np.arange(height) + 0.5) * ((north - south) / height)
        # Rounded: neighbours compute the place of the same pixel from different corners.
        digits = 4 if metres_per_unit(epsg) == 1 else 9
        return cls(epsg, np.round(xs, digits), np.round(ys, digits))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.ys), len(self.xs)

    def rows(self, rows: slice) -> Grid:
        """Return some of the rows."""
        return Grid(self.epsg, self.xs, self.ys[rows])

    def native(self, size: float, margin: int) -> Grid:
        """Return the cells of a coarser raster, aligned to multiples of ``size``, around this one."""
        west, east = math.floor(self.xs[0] / size) - margin, math.floor(self.xs[-1] / size) + margin
        north, south = math.floor(self.ys[0] / size) + margin, math.floor(self.ys[-1] / size) - margin
        columns, rows = np.arange(west, east + 1), np.arange(north, south - 1, -1)
        return Grid(self.epsg, (columns + 0.5) * size, (rows + 0.5) * size)

    def grain(self) -> NDArray[np.uint32]:
        """Return random bits for each pixel: those of its 10 m cell of the CRS, whatever grid shows it."""
        cell = 10 / metres_per_unit(self.epsg)
        columns, rows = np.floor(self.xs / cell), np.floor(self.ys / cell)
        across, down = noise.hash2(columns, columns, 51), noise.hash2(rows, rows, 52)
        return noise.mix(across[np.newaxis, :] + down[:, np.newaxis])


class Lattice:
    """Coarse nodes over a tile, at multiples of a step of its CRS.

    Slow functions of place are computed at the nodes and interpolated to the pixels. The nodes are the same
    for every tile of a CRS and a resolution, hence so are the interpolated values. Arrays over nodes have
    rows from south to north.
    """

    def __init__(self, epsg: int, bounds: tuple[float, float, float, float], resolution: float) -> None:
        """Lay nodes over the bounds and around. ``resolution``: CRS units per pixel."""
        unit = metres_per_unit(epsg)
        self.epsg = epsg
        self.step = resolution * min(8, max(1, round(_FINEST / (resolution * unit))))
        self.step_metres = self.step * unit
        margin = math.ceil(_MARGIN / self.step_metres) + 1
        self.inner = (slice(margin, -margin), slice(margin, -margin))  # the nodes of the tile itself
        west, south, east, north = bounds
        self._i0 = math.floor(west / self.step) - margin
        self._j0 = math.floor(south / self.step) - margin
        columns = np.arange(self._i0, math.floor(east / self.step) + margin + 2)
        rows = np.arange(self._j0, math.floor(north / self.step) + margin + 2)
        self.x, self.y = np.meshgrid(columns * self.step, rows * self.step)
        self._kept: dict[Hashable, NDArray[Any]] = {}

    @cached_property
    def lonlat(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Longitude and latitude of the nodes, degrees."""
        lon, lat = to_lonlat(self.epsg).transform(self.x, self.y)
        return np.asarray(lon), np.clip(np.asarray(lat), -85.0, 85.0)

    @cached_property
    def world(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """World metres of the nodes."""
        return world(*self.lonlat)

    @property
    def southern(self) -> bool:
        """Whether most of the tile lies south of the equator."""
        return bool(self.lonlat[1].mean() < 0)

    def keep(self, key: Hashable, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return an array over the nodes, made at the first call for that key."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def utm(self, epsg: int) -> NDArray[np.float64]:
        """Return easting and northing of the nodes in a UTM zone."""
        if self.epsg == epsg:
            return np.stack((self.x, self.y))
        transform = to_lonlat(epsg).transform
        return self.keep(epsg, lambda: np.stack(transform(*self.lonlat, direction="INVERSE")))

    def spread(self, nodes: NDArray[Any], grid: Grid) -> NDArray[Any]:
        """Interpolate floating-point values at the nodes to the pixels of a grid, bilinearly."""
        i, u = self._cells(grid.xs, self._i0, nodes.dtype)
        j, v = self._cells(grid.ys, self._j0, nodes.dtype)
        lowest = np.min(j)
        nodes = nodes[lowest : np.max(j) + 2]
        j -= lowest
        across = nodes[:, i] + (nodes[:, i + 1] - nodes[:, i]) * u
        below = across[j]
        values: NDArray[Any] = below + (across[j + 1] - below) * v[:, np.newaxis]
        return values

    def _cells(
        self, positions: NDArray[np.float64], first: int, dtype: np.dtype[Any]
    ) -> tuple[NDArray[np.intp], NDArray[Any]]:
        scaled = positions / self.step
        cells = np.floor(scaled)
        return cells.astype(np.intp) - first, (scaled - cells).astype(dtype)
