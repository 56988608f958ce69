"""One tile of a tiling grid."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """A tile of a grid; bounds are minx, miny, maxx, maxy in the tile's CRS, without a buffer."""

    id: int
    name: str
    epsg: int
    bounds: tuple[float, float, float, float]
