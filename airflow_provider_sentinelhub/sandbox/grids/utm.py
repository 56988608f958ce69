"""The UTM grids: cells of the 100 km squares of the military grid (MGRS), as Sentinel-2 tiles them.

A cell is named ``<square>_<column>_<row>``, counted from the square's north-west corner: ``31UDS_7_2``.
What is known of the service's own tiles, and reproduced here:

- The corner is snapped outwards to 60 m, as those of Sentinel-2's own tiles are, southern northings counted
  from the equator. Seen on the 100 km grid, assumed for the 20 km one. The 10 km grid isn't snapped: seen.
- A square belongs to the zone it lies in and to the latitude band that holds most of it. Seen.
- Where two zones meet, the western square is kept and the eastern one dropped if the western one covers
  it. Zone 1 keeps its western squares, and zone 60 drops its eastern ones. Seen on the 100 km grid.
- In zone 60 the square west of a dropped one goes on a little further east (``60WWC_1_0``): a Sentinel-2
  tile is 109.8 km wide. Seen. The 0.1 % of real tiles named ``_0_1`` for the like, most of them southern,
  are not made: the square they stand in for is.

That cells of a kept square go too, once they neither lie in the zone nor fill in for a dropped square, is
assumed; so are the ids, except that they run down the columns of a square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import shapely
from shapely import Polygon, affinity

from airflow_provider_sentinelhub.sandbox.grids.crs import WGS84, project
from airflow_provider_sentinelhub.sandbox.grids.tile import Tile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapely.geometry.base import BaseGeometry

SQUARE = 100_000
SENTINEL_2_TILE = 109_800
EQUATOR_SOUTH = 10_000_000  # false northing of the southern zones

_BANDS = "CDEFGHJKLMNPQRSTUVWX"  # 8 degrees each from 80 S; the last one goes on north
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")  # eastings 100 to 800 km, by zone modulo 3
_ROWS = "ABCDEFGHJKLMNPQRSTUV"  # northings modulo 2000 km; even zones start five letters later

# Norway and Svalbard: zone and band to its western and eastern meridian; None is no such zone.
_EXCEPTIONS: dict[tuple[int, str], tuple[float, float] | None] = {
    (31, "V"): (0, 3),
    (32, "V"): (3, 12),
    (31, "X"): (0, 9),
    (32, "X"): None,
    (33, "X"): (9, 21),
    (34, "X"): None,
    (35, "X"): (21, 33),
    (36, "X"): None,
    (37, "X"): (33, 42),
}

_TOLERANCE = 1.0  # metres; what overlaps by less only touches


class Zone(NamedTuple):
    """Half a UTM zone, up to the latitude where a grid ends."""

    number: int
    north: bool
    limit: float

    @property
    def epsg(self) -> int:
        """EPSG code of the zone's CRS."""
        return (32600 if self.north else 32700) + self.number

    def meridians(self, band: str) -> tuple[float, float] | None:
        """Western and eastern limit in degrees."""
        west = 6.0 * self.number - 186
        return _EXCEPTIONS.get((self.number, band), (west, west + 6))


@dataclass(frozen=True)
class Square:
    """A 100 km square that a zone keeps."""

    name: str
    column: int  # easting and northing of the south-western corner, in 100 km
    row: int
    duty: BaseGeometry | None  # what the square's cells are there for; None: all of the square
    wide: bool  # has cells beyond 100 km, as far as a Sentinel-2 tile reaches


def cells(size: int, snap: int, limit: float, area: BaseGeometry) -> Iterator[Tile]:
    """Yield the cells of `size` metres that `area` (lon/lat) touches, up to the latitude `limit`.

    `snap` is the distance in metres to whose multiples corners are moved outwards. In no order.
    """
    for number in range(1, 61):
        piece = _clip(area, number, limit)
        if piece is None:
            continue
        for north in (True, False):
            zone = Zone(number, north, limit)
            yield from _cells_of_zone(zone, size, snap, project(piece, WGS84, zone.epsg))


def _clip(area: BaseGeometry, number: int, limit: float) -> BaseGeometry | None:
    """Cut out what may touch a square of the zone, edges dense enough to stay straight in lon/lat."""
    _, south, _, north = area.bounds
    south, north = max(south, -limit - 1.5), min(north, limit + 1.5)
    if south > north:
        return None
    # Squares reach up to 110 km out of their zone.
    margin = math.degrees(1.1 * SENTINEL_2_TILE / (6_371_000 * math.cos(math.radians(max(-south, north)))))
    spans = [m for band in _BANDS if (m := Zone(number, True, limit).meridians(band))]
    window = shapely.box(min(w for w, _ in spans) - margin, south, max(e for _, e in spans) + margin, north)
    # The same place has longitudes 360 degrees apart: an area may end at 180 and go on at -180.
    pieces = [
        window.intersection(affinity.translate(area, turn))
        for turn in (-360, 0, 360)
        if area.bounds[0] + turn <= window.bounds[2] and window.bounds[0] <= area.bounds[2] + turn
    ]
    piece = shapely.segmentize(shapely.union_all(pieces), 0.1)
    return None if piece.is_empty else piece


def _cells_of_zone(zone: Zone, size: int, snap: int, area: BaseGeometry) -> Iterator[Tile]:
    west, south, east, north = area.bounds
    lowest, highest = int(max(south // SQUARE - 1, 0)), int(min(north // SQUARE + 1, 99))
    squares = [
        square
        for row in range(lowest, highest + 1)
        for square in _squares(zone, row)
        if square.column * SQUARE - snap <= east
        and west <= (square.column + 1) * SQUARE + (SENTINEL_2_TILE if square.wide else size)
    ]
    shapely.prepare(area)
    count = -(-SQUARE // size)
    wide = -(-SENTINEL_2_TILE // size)
    for square in squares:
        shape = (wide if square.wide else count, count)
        columns, rows = (axis.ravel() for axis in np.indices(shape))
        west, north = _corner(zone, square, snap)
        left, top = west + size * columns, north - size * rows
        hit = shapely.intersects(area, shapely.box(left, top - size, left + size, top))
        if square.duty is not None:
            inner = shapely.box(left + 1, top - size + 1, left + size - 1, top - 1)
            hit &= shapely.intersects(square.duty, inner)
        first = _index(zone, square) * (count + 1) ** 2
        for column, row, x, y in zip(columns[hit], rows[hit], left[hit], top[hit], strict=True):
            bounds = (float(x), float(y - size), float(x + size), float(y))
            yield Tile(int(first + count * column + row), f"{square.name}_{column}_{row}", zone.epsg, bounds)


def _corner(zone: Zone, square: Square, snap: int) -> tuple[int, int]:
    """North-western corner, moved outwards to a multiple of `snap` metres."""
    equator = 0 if zone.north else EQUATOR_SOUTH
    north = (square.row + 1) * SQUARE - equator
    return square.column * SQUARE // snap * snap, -(-north // snap) * snap + equator


def _index(zone: Zone, square: Square) -> int:
    return ((zone.number * 2 + zone.north) * 10 + square.column) * 100 + square.row


@cache
def _area(zone: Zone) -> BaseGeometry:
    """The zone between its meridians, in its own CRS."""
    boxes = []
    for band, south in zip(_BANDS, range(-80, 80, 8), strict=True):
        meridians = zone.meridians(band)
        if meridians is not None and zone.north == (south >= 0):
            bottom = -zone.limit if band == "C" else south
            top = zone.limit if band == "X" else south + 8
            boxes.append(shapely.box(meridians[0], bottom, meridians[1], top))
    return project(shapely.segmentize(shapely.union_all(boxes), 0.1), WGS84, zone.epsg)


@cache
def _parts(zone: Zone, row: int) -> dict[int, BaseGeometry]:
    """Columns of the squares that lie in a zone, with the part of each that does."""
    parts = {}
    strip = _box(0, row, 10)
    inside = _area(zone).intersection(strip)
    for column in range(1, 9):
        part = inside.intersection(_box(column, row))
        if part.area > _TOLERANCE * SQUARE:
            parts[column] = part
    return parts


def _box(column: int, row: int, columns: int = 1) -> Polygon:
    x, y = column * SQUARE, row * SQUARE
    return shapely.box(x, y, x + columns * SQUARE, y + SQUARE)


@cache
def _dropped(zone: Zone, row: int) -> dict[int, Zone]:
    """Columns of the redundant squares, each with the neighbouring zone that covers it."""
    dropped = {}
    for neighbour, columns in _covering_neighbours(zone):
        squares = [_box(column, r) for r in (row - 1, row, row + 1) for column in _parts(neighbour, r)]
        cover = shapely.union_all(squares).buffer(_TOLERANCE)
        for column, part in _parts(zone, row).items():
            if column in columns and column not in dropped:
                seen = project(shapely.segmentize(part, 10_000), zone.epsg, neighbour.epsg)
                if cover.covers(seen):
                    dropped[column] = neighbour
    return dropped


def _covering_neighbours(zone: Zone) -> Iterator[tuple[Zone, range]]:
    """Neighbours that a zone gives squares up to, and the columns concerned."""
    west, east = range(1, 5), range(5, 9)
    if zone.number > 1:
        yield zone._replace(number=zone.number - 1), west
    if zone.number in (33, 35, 37):  # where the zone between is missing
        yield zone._replace(number=zone.number - 2), west
    if zone.number == 60:
        yield zone._replace(number=1), east


def _takers(zone: Zone) -> Iterator[Zone]:
    """Zones that may have given up squares to this one."""
    if zone.number == 1:
        yield zone._replace(number=60)
    if zone.number < 60:
        yield zone._replace(number=zone.number + 1)
    if zone.number in (31, 33, 35):
        yield zone._replace(number=zone.number + 2)


@cache
def _squares(zone: Zone, row: int) -> tuple[Square, ...]:
    """Squares of a row that the zone keeps, from west to east."""
    parts, dropped = _parts(zone, row), _dropped(zone, row)
    squares = []
    for column, part in parts.items():
        if column in dropped:
            continue
        wide = zone.number == 60 and column + 1 in dropped
        duty = shapely.union_all([part, parts[column + 1]]) if wide else part
        if part.area < SQUARE**2 - SQUARE * _TOLERANCE:
            strips = [strip.intersection(_box(column, row)) for strip in _strips(zone, row)]
            duty = shapely.union_all([duty, *strips])
        whole = not wide and duty.area > SQUARE**2 - SQUARE * _TOLERANCE
        name = _name(zone, column, row, part)
        squares.append(Square(name, column, row, None if whole else duty, wide))
    return tuple(squares)


def _strips(zone: Zone, row: int) -> Iterator[BaseGeometry]:
    """The land of neighbouring zones that this zone covers in place of dropped squares."""
    for taker in _takers(zone):
        for r in (row - 1, row, row + 1):
            for column, by in _dropped(taker, r).items():
                if by == zone:
                    yield project(shapely.segmentize(_parts(taker, r)[column], 10_000), taker.epsg, zone.epsg)


def _name(zone: Zone, column: int, row: int, part: BaseGeometry) -> str:
    latitude = project(part.centroid, zone.epsg, WGS84).y  # type: ignore[attr-defined]
    band = _BANDS[min(max(int((latitude + 80) // 8), 0), len(_BANDS) - 1)]
    letter = _ROWS[(row + (5 if zone.number % 2 == 0 else 0)) % len(_ROWS)]
    return f"{zone.number:02d}{band}{_COLUMNS[(zone.number - 1) % 3][column - 1]}{letter}"
