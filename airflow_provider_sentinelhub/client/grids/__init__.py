"""The service's tiling grids, known without asking it: what they are, and which of their tiles an area needs.

Sizes and resolutions are as documented and as the service lists them; `caveat` says what is assumed of the
names and edges of tiles. What the service will bill is in its own analysis. Needs the ``geo`` extra, but for
grid 3 and areas in lon/lat.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.grids import regular, utm
from airflow_provider_sentinelhub.client.models import TilingGrid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_sentinelhub.client.areas import Area

_DEGREES = (0.0001, 0.0002, 0.0005, 0.0008, 0.001, 0.002, 0.005, 0.008)

GRIDS: tuple[TilingGrid, ...] = (
    TilingGrid(0, "20km grid", 20_040, 20_040, "METRE", (10, 20, 60)),
    TilingGrid(1, "10km grid", 10_000, 10_000, "METRE", (10, 20)),
    TilingGrid(2, "100km grid", 100_080, 100_080, "METRE", (60, 120, 240, 360)),
    TilingGrid(3, "WGS84 1 degree grid", 1, 1, "DEGREE", _DEGREES),
    TilingGrid(6, "LAEA 100km grid", 100_000, 100_000, "METRE", (40, 50, 100)),
    TilingGrid(7, "LAEA 20km grid", 20_000, 20_000, "METRE", (10, 20)),
)

_CAVEATS = {
    0: "Names and edges follow the 100 km grid's; they are assumed, and so is which tiles are left out "
    "where two UTM zones meet.",
    1: "Which tiles are left out where two UTM zones meet is assumed.",
    2: "In zone 60, one tile in a thousand of the southern hemisphere has another name.",
    6: "The names are assumed, and so is where the grid ends.",
    7: "The names are assumed, and so is where the grid ends.",
}
_UTM = {0: utm.Grid(20_040, 60, 80.7), 1: utm.Grid(10_000, 1, 80.6), 2: utm.Grid(100_080, 60, 81.0)}


@dataclass(frozen=True)
class GridTile:
    """A tile of a grid: ``bounds`` are minx, miny, maxx, maxy in ``crs`` (URL), without any buffer.

    ``width`` and ``height`` are its pixels, None where no resolution was asked for.
    """

    name: str
    crs: str
    bounds: tuple[float, float, float, float]
    width: int | None = None
    height: int | None = None


def describe(grid_id: int) -> TilingGrid:
    """Return a grid; `DefinitionError` if none with this id is published."""
    for grid in GRIDS:
        if grid.id == grid_id:
            return grid
    offered = "; ".join(f"{grid.id} ({grid.name})" for grid in GRIDS)
    raise DefinitionError(
        [Fault("tiling_grid_id", f"no grid {grid_id!r} is published", f"Choose one of {offered}")], "grid"
    )


def caveat(grid_id: int) -> str:
    """Return what is assumed about the tiles of a grid; empty if nothing is."""
    return _CAVEATS.get(describe(grid_id).id, "")


def fitting(resolution: float, grids: Iterable[TilingGrid] = GRIDS) -> list[TilingGrid]:
    """Return the grids that offer a resolution, in their own unit: metres, or degrees."""
    return [grid for grid in grids if _offers(grid, resolution)]


def pixels(grid: TilingGrid, resolution: float) -> tuple[int, int]:
    """Return a tile's width and height in pixels; `DefinitionError` if it does not have the resolution."""
    if not _offers(grid, resolution) or grid.tile_width is None or grid.tile_height is None:
        offered = ", ".join(f"{r:g}" for r in grid.resolutions)
        problem = f"grid {grid.id} ({grid.name}) does not have {resolution!r}"
        remedy = f"Choose one of {offered} ({grid.unit.lower()})"
        raise DefinitionError([Fault("resolution", problem, remedy)], "grid")
    return round(grid.tile_width / resolution), round(grid.tile_height / resolution)


def tiles_of(area: Area, grid_id: int, resolution: float | None = None) -> list[GridTile]:
    """Return the tiles an area touches, by name; touching an edge is enough (assumed).

    Empty where a grid does not reach: beyond 80.6 to 81 degrees (UTM), outside Europe (LAEA).
    """
    grid = describe(grid_id)
    size = (None, None) if resolution is None else pixels(grid, resolution)
    geometry = area.in_lon_lat().geometry
    if grid.id in _UTM:
        found = utm.cells(_UTM[grid.id], geometry)
    elif grid.unit == "DEGREE":
        found = regular.degree_cells(geometry)
    else:
        found = regular.laea_cells(int(grid.tile_width or 0), geometry)
    return sorted((GridTile(name, crs, bounds, *size) for name, crs, bounds in found), key=lambda t: t.name)


def _offers(grid: TilingGrid, resolution: float) -> bool:
    return any(math.isclose(resolution, offered) for offered in grid.resolutions)
