"""The grids of equal cells in one CRS: WGS84 by the degree, LAEA (EPSG:3035) over Europe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely
from shapely import affinity

from airflow_provider_sentinelhub.sandbox.grids.crs import WGS84, project
from airflow_provider_sentinelhub.sandbox.grids.tile import Tile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

LAEA = 3035

# Easting and northing of the LAEA grids. The service names countries (Azores, Canaries, Iceland, Svalbard,
# Turkey) and no numbers; this rectangle, which holds them, is assumed.
_LAEA_EXTENT = (900_000, 900_000, 7_500_000, 6_500_000)
_LAEA_WINDOW = shapely.box(-60, 15, 80, 89)  # lon/lat; holds the extent and projects safely


def degree_cells(area: BaseGeometry) -> Iterator[Tile]:
    """Yield the 1 degree cells an area touches, named after the south-western corner: ``N04E004``."""
    world = shapely.box(-180, -90, 180, 90)
    turned = [world.intersection(affinity.translate(area, turn)) for turn in (-360, 0, 360)]
    for x, y in _hits(shapely.union_all(turned), 1, (-180, -90, 180, 90)):
        name = f"{'NS'[y < 0]}{abs(y):02d}{'EW'[x < 0]}{abs(x):03d}"
        yield Tile((x + 180) * 180 + 89 - y, name, WGS84, (float(x), float(y), x + 1.0, y + 1.0))


def laea_cells(size: int, area: BaseGeometry) -> Iterator[Tile]:
    """Yield the LAEA cells of `size` metres that an area touches.

    They are named as the European reference grid names its cells, after the south-western corner with
    the zeros common to all left out: ``100kmE45N32``, ``20kmE452N320``. Assumed; the real names are unknown.
    """
    piece = shapely.segmentize(area.intersection(_LAEA_WINDOW), 0.1)
    if piece.is_empty:
        return
    unit = 100_000 if size == 100_000 else 10_000
    rows = (_LAEA_EXTENT[3] - _LAEA_EXTENT[1]) // size
    for x, y in _hits(project(piece, WGS84, LAEA), size, _LAEA_EXTENT):
        name = f"{size // 1000}kmE{x // unit}N{y // unit}"
        index = (x - _LAEA_EXTENT[0]) // size * rows + rows - 1 - (y - _LAEA_EXTENT[1]) // size
        yield Tile(index, name, LAEA, (float(x), float(y), float(x + size), float(y + size)))


def _hits(area: BaseGeometry, size: int, extent: tuple[int, int, int, int]) -> Iterator[tuple[int, int]]:
    """South-western corners of the cells within an extent that an area touches."""
    if area.is_empty:
        return
    shapely.prepare(area)
    west, south, east, north = area.bounds
    columns: NDArray[np.int_] = np.arange(extent[0], extent[2], size)
    rows: NDArray[np.int_] = np.arange(extent[1], extent[3], size)
    columns = columns[(columns + size >= west) & (columns <= east)]
    rows = rows[(rows + size >= south) & (rows <= north)]
    for x in columns:
        hit = shapely.intersects(area, shapely.box(x, rows, x + size, rows + size))
        for y in rows[hit]:
            yield int(x), int(y)
