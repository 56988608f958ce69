"""The service's tiling grids: their geometry, their names, and the tiles an area needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import shapely

from airflow_provider_sentinelhub.sandbox.grids import regular, utm
from airflow_provider_sentinelhub.sandbox.grids.crs import SUPPORTED_CRS, parse_crs, project
from airflow_provider_sentinelhub.sandbox.grids.tile import Tile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shapely.geometry.base import BaseGeometry

__all__ = ["GRIDS", "SUPPORTED_CRS", "Tile", "TilingGrid", "parse_crs", "project", "tiles"]


@dataclass(frozen=True)
class TilingGrid:
    """A tiling grid as ``/batch/v2/tilinggrids`` describes it; sizes are in `unit`."""

    id: int
    name: str
    tile_width: float
    tile_height: float
    unit: Literal["METRE", "DEGREE"]
    resolutions: tuple[float, ...]
    chunk_width: int
    chunk_height: int
    single_crs: bool

    def to_json(self) -> dict[str, Any]:
        """Give the service's answer; chunk sizes and ``singleCrs`` are seen there but not documented."""
        return {
            "id": self.id,
            "name": self.name,
            "properties": {
                "tileWidth": self.tile_width,
                "tileHeight": self.tile_height,
                "resolutions": list(self.resolutions),
                "unit": self.unit,
                "chunkWidth": self.chunk_width,
                "chunkHeight": self.chunk_height,
                "singleCrs": self.single_crs,
            },
        }


def _metres(
    number: int, name: str, size: int, resolutions: tuple[float, ...], chunk: tuple[int, int]
) -> TilingGrid:
    return TilingGrid(
        number, name, float(size), float(size), "METRE", resolutions, *chunk, single_crs=number >= 6
    )


# Names, chunks and the coarser resolutions of grid 3 as the service answers; the rest as documented.
GRIDS: dict[int, TilingGrid] = {
    0: _metres(0, "20km grid", 20_040, (10.0, 20.0, 60.0), (334, 167)),
    1: _metres(1, "10km grid", 10_000, (10.0, 20.0), (500, 500)),
    2: _metres(2, "100km grid", 100_080, (60.0, 120.0, 240.0, 360.0), (278, 278)),
    3: TilingGrid(
        id=3,
        name="WGS84 1 degree grid",
        tile_width=1.0,
        tile_height=1.0,
        unit="DEGREE",
        resolutions=(0.0001, 0.0002, 0.0005, 0.0008, 0.001, 0.002, 0.005, 0.008),
        chunk_width=500,
        chunk_height=500,
        single_crs=True,
    ),
    6: _metres(6, "LAEA 100km grid", 100_000, (40.0, 50.0, 100.0), (0, 0)),
    7: _metres(7, "LAEA 20km grid", 20_000, (10.0, 20.0), (0, 0)),
}

# Documented, though the global mosaics made on grid 2 have tiles up to 82 degrees north.
_LATITUDE_LIMIT = {0: 80.7, 1: 80.6, 2: 81.0}
_SNAP = {0: 60, 1: 1, 2: 60}  # metres


def tiles(grid: TilingGrid, area: BaseGeometry) -> list[Tile]:
    """List the tiles an area touches, ordered by name; touching an edge is enough.

    `area` is in lon/lat degrees with edges straight in lon/lat. It may pass 180 degrees, or be split there.
    Empty where the grid doesn't reach: beyond 80.6 to 81 degrees (UTM), outside Europe (LAEA).
    """
    area = shapely.force_2d(area if area.is_valid else shapely.make_valid(area))
    if area.is_empty:
        return []
    found: Iterable[Tile]
    size = int(grid.tile_width)
    if grid.id in _LATITUDE_LIMIT:
        found = utm.cells(size, _SNAP[grid.id], _LATITUDE_LIMIT[grid.id], area)
    elif grid.unit == "DEGREE":
        found = regular.degree_cells(area)
    else:
        found = regular.laea_cells(size, area)
    return sorted(found, key=lambda tile: tile.name)
