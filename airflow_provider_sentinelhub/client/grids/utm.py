"""The UTM grids: cells of the 100 km squares of the military grid (MGRS), as Sentinel-2 tiles them.

``31UDS_7_2`` is column 7, row 2 of the square 31UDS, counted from its north-west corner. A square belongs to
every UTM zone it lies in. Where zones meet, the eastern one leaves out a square that the western one covers,
whose cells then go on beyond its own border; at the antimeridian it is zone 60 that leaves squares out.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_sentinelhub.client.crs import CRS84, crs_url, project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapely.geometry.base import BaseGeometry

    from airflow_provider_sentinelhub.client.grids.regular import Cell

_SIDE = 100_000
_S2_TILE = 109_800  # what a Sentinel-2 tile covers of its square and beyond
_EQUATOR = 10_000_000  # northing in the southern half
_SLACK = 1.0  # metres of overlap that do not count
_STEP = 0.1  # degrees between vertices of what is projected

_BANDS = "CDEFGHJKLMNPQRSTUVWX"  # each 8 degrees, from 80 S
_COLUMN_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"  # eight for a zone
_ROW_LETTERS = "ABCDEFGHJKLMNPQRSTUV"  # even zones start at F
# Meridians of the zones around Norway (V) and Svalbard (X); three zones are missing there.
_NORTH: dict[str, dict[int, tuple[int, int] | None]] = {
    "V": {31: (0, 3), 32: (3, 12)},
    "X": {31: (0, 9), 32: None, 33: (9, 21), 34: None, 35: (21, 33), 36: None, 37: (33, 42)},
}


class Grid(NamedTuple):
    """Cell size in metres, the multiples of metres that corners move out to, and the latitude of its end."""

    size: int
    snap: int
    limit: float


class _Half(NamedTuple):
    """The northern or southern half of a zone, as far as a grid goes."""

    zone: int
    north: bool
    limit: float

    @property
    def crs(self) -> str:
        return crs_url((32600 if self.north else 32700) + self.zone)

    def at(self, zone: int) -> _Half:
        return self._replace(zone=zone)


def cells(grid: Grid, area: BaseGeometry) -> Iterator[Cell]:
    """Yield name, CRS and bounds of the cells that an area in lon/lat touches, in no order."""
    import shapely

    for zone in range(1, 61):
        piece = _near(area, zone, grid.limit)
        for north in (True, False) if not piece.is_empty else ():
            half = _Half(zone, north, grid.limit)
            there = project(shapely.segmentize(piece, _STEP), CRS84, half.crs)
            shapely.prepare(there)
            _, south, _, top = there.bounds
            for row in range(max(int(south // _SIDE) - 1, 0), min(int(top // _SIDE) + 1, 99) + 1):
                for column in _kept(half, row):
                    yield from _cells(grid, half, column, row, there)


def _near(area: BaseGeometry, zone: int, limit: float) -> BaseGeometry:
    """Return what may touch a square of the zone: these reach some 110 km out of it."""
    from shapely import affinity, box, union_all

    _, south, _, north = area.bounds
    south, north = max(south, -limit - 1.5), min(north, limit + 1.5)
    if south > north:
        return box(0, 0, 0, 0).intersection(box(1, 1, 2, 2))
    margin = 1.1 * _S2_TILE / (111_195 * math.cos(math.radians(max(-south, north))))
    west, east = 6 * zone - 186 - margin, 6 * zone - 180 + margin
    if 31 <= zone <= 37:
        west, east = west - 3, east + 6
    window = box(west, south, east, north)
    turns = [t for t in (-360, 0, 360) if area.bounds[0] + t <= east and area.bounds[2] + t >= west]
    return union_all([window.intersection(affinity.translate(area, turn)) for turn in turns])


def _cells(grid: Grid, half: _Half, column: int, row: int, area: BaseGeometry) -> Iterator[Cell]:
    """Yield the cells of one square that lie where it is needed and touch the area."""
    import numpy as np
    import shapely

    wide = half.zone == 60 and column + 1 in _left_out(half, row)
    below = 0 if half.north else _EQUATOR
    west = column * _SIDE // grid.snap * grid.snap
    north = -(-((row + 1) * _SIDE - below) // grid.snap) * grid.snap + below
    count = math.ceil(_SIDE / grid.size)
    i, j = np.meshgrid(np.arange(math.ceil(_S2_TILE / grid.size) if wide else count), np.arange(count))
    x, y = west + grid.size * i, north - grid.size * (j + 1)
    touched = shapely.intersects(area, shapely.box(x, y, x + grid.size, y + grid.size))
    if not touched.any():
        return
    needed = _land(half, row).intersection(_square(column, row))
    if wide:
        needed = needed.union(_parts(half, row)[column + 1])
    inner = shapely.box(x + _SLACK, y + _SLACK, x + grid.size - _SLACK, y + grid.size - _SLACK)
    touched &= shapely.intersects(needed, inner)
    name = _name(half, column, row)
    for k in zip(*np.nonzero(touched), strict=True):
        left, bottom = float(x[k]), float(y[k])
        yield f"{name}_{i[k]}_{j[k]}", half.crs, (left, bottom, left + grid.size, bottom + grid.size)


def _square(column: int, row: int, columns: int = 1) -> BaseGeometry:
    from shapely import box

    return box(column * _SIDE, row * _SIDE, (column + columns) * _SIDE, (row + 1) * _SIDE)


@cache
def _domain(half: _Half) -> BaseGeometry:
    """What lies between the meridians of a half, in its own CRS."""
    import shapely

    strips = []
    for band, south in zip(_BANDS, range(-80, 80, 8), strict=True):
        meridians = _NORTH.get(band, {}).get(half.zone, (6 * half.zone - 186, 6 * half.zone - 180))
        if meridians and half.north == (south >= 0):
            low = -half.limit if band == "C" else south
            high = half.limit if band == "X" else south + 8
            strips.append(shapely.box(meridians[0], low, meridians[1], high))
    return project(shapely.segmentize(shapely.union_all(strips), _STEP), CRS84, half.crs)


@cache
def _parts(half: _Half, row: int) -> dict[int, BaseGeometry]:
    """Columns of the squares in a row, each with the part of it that lies in the zone."""
    strip = _domain(half).intersection(_square(0, row, 10))
    parts = {column: strip.intersection(_square(column, row)) for column in range(1, 9)}
    return {column: part for column, part in parts.items() if part.area > _SLACK * _SIDE}


@cache
def _left_out(half: _Half, row: int) -> dict[int, _Half]:
    """Columns that a zone leaves out, each with the neighbour whose squares cover it."""
    import shapely

    west = [half.zone - 1, *([half.zone - 2] if half.zone in (33, 35, 37) else [])]
    givers = [(half.at(zone), range(1, 5)) for zone in west if zone > 0]
    givers += [(half.at(1), range(5, 9))] if half.zone == 60 else []
    found: dict[int, _Half] = {}
    for other, columns in givers:
        rows = (row - 1, row, row + 1)
        cover = shapely.union_all([_square(c, r) for r in rows for c in _parts(other, r)]).buffer(_SLACK)
        for column, part in _parts(half, row).items():
            if column in columns and column not in found and cover.covers(_seen(part, half, other)):
                found[column] = other
    return found


def _kept(half: _Half, row: int) -> list[int]:
    return [column for column in _parts(half, row) if column not in _left_out(half, row)]


@cache
def _land(half: _Half, row: int) -> BaseGeometry:
    """All that the squares of a row are there for: their own zone, and what neighbours left to it."""
    import shapely

    takers = {half.zone + 1, 60 if half.zone == 1 else 0, half.zone + 2 if half.zone in (31, 33, 35) else 0}
    pieces = list(_parts(half, row).values())
    for other in (half.at(zone) for zone in takers if 1 <= zone <= 60):
        for r in (row - 1, row, row + 1):
            left = [c for c, giver in _left_out(other, r).items() if giver == half]
            pieces += [_seen(_parts(other, r)[c], other, half) for c in left]
    return shapely.union_all(pieces)


def _seen(part: BaseGeometry, half: _Half, other: _Half) -> BaseGeometry:
    """Bring a part of one zone into the CRS of another."""
    return project(part, half.crs, other.crs, step=10_000)


def _name(half: _Half, column: int, row: int) -> str:
    latitude = project(_parts(half, row)[column].centroid, half.crs, CRS84).y
    band = _BANDS[min(max(int((latitude + 80) // 8), 0), len(_BANDS) - 1)]
    first = 8 * ((half.zone - 1) % 3)
    letter = _ROW_LETTERS[(row + (0 if half.zone % 2 else 5)) % len(_ROW_LETTERS)]
    return f"{half.zone:02d}{band}{_COLUMN_LETTERS[first + column - 1]}{letter}"
