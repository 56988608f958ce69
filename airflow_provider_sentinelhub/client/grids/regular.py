"""The grids of equal cells in one CRS: by the degree, and LAEA (EPSG:3035) over Europe."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.crs import CRS84, crs_url, project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapely.geometry.base import BaseGeometry

    Cell = tuple[str, str, tuple[float, float, float, float]]  # name, CRS, bounds

# The service names countries (Azores, Canaries, Iceland, Svalbard, Turkey) and no numbers: assumed.
_LAEA_EXTENT = (900_000, 900_000, 7_500_000, 6_500_000)
_EUROPE = (-60, 15, 80, 89)  # lon/lat around the extent; all of it has a place in LAEA


def degree_cells(area: BaseGeometry) -> Iterator[Cell]:
    """Yield the 1 degree cells, named after the south-western corner: ``N04E004``."""
    from shapely import affinity, union_all

    # An edge at 180 is one at -180 too.
    turned = union_all([affinity.translate(area, turn) for turn in (-360, 0, 360)])
    for x, y in _touched(turned, 1, (-180, -90, 180, 90)):
        name = f"{'S' if y < 0 else 'N'}{abs(y):02d}{'W' if x < 0 else 'E'}{abs(x):03d}"
        yield name, crs_url(4326), (x, y, x + 1, y + 1)


def laea_cells(size: int, area: BaseGeometry) -> Iterator[Cell]:
    """Yield the LAEA cells of that many metres.

    Named as the European reference grid does, after the south-western corner: ``100kmE45N32``,
    ``20kmE452N320`` (assumed).
    """
    from shapely import box, segmentize

    piece = area.intersection(box(*_EUROPE))
    if piece.is_empty:
        return
    crs = crs_url(3035)
    unit = 100_000 if size == 100_000 else 10_000
    for x, y in _touched(project(segmentize(piece, 0.1), CRS84, crs), size, _LAEA_EXTENT):
        yield f"{size // 1000}kmE{x // unit}N{y // unit}", crs, (x, y, x + size, y + size)


def _touched(area: BaseGeometry, size: int, extent: tuple[int, int, int, int]) -> Iterator[tuple[int, int]]:
    """Yield the south-western corners of the cells that an area touches, column by column."""
    import numpy as np
    import shapely

    shapely.prepare(area)
    west, south, east, north = area.bounds
    columns = range(
        max(extent[0], math.ceil(west / size - 1) * size), min(extent[2] - size, math.floor(east)) + 1, size
    )
    rows = np.arange(
        max(extent[1], math.ceil(south / size - 1) * size), min(extent[3] - size, math.floor(north)) + 1, size
    )
    for x in columns:
        left = np.full_like(rows, x)
        for y in rows[shapely.intersects(area, shapely.box(left, rows, left + size, rows + size))]:
            yield x, int(y)
