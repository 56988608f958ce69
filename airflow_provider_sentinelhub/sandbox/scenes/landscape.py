"""The ground of the synthetic world: fields, orchards, woods, rivers, towns. There is no sea.

Each pixel gets a *ground state*, a small number that names a kind of surface, one of its 16 variants (sowing
date, vigour, soil) and one of 8 levels of texture. What that looks like on a day is `radiometry`'s business.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.scenes.noise import bits, fractal, hash2, mix, smooth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.scenes.lattice import Grid, Lattice

# Kinds of ground. Annual crops rotate: what grows on a ROTATION field depends on the year.
WATER, RIVER, CONIFERS, BROADLEAVES, GRASSLAND, SHRUBS, BUILT_UP, ROAD, MARGIN = range(9)
ALFALFA, ORCHARD, VINEYARD, PASTURE, FALLOW = range(9, 14)
ROTATION = 14
ROTATIONS = 6
KINDS = ROTATION + ROTATIONS
VARIANTS = 16
LEVELS = 8
STATES = KINDS * VARIANTS * LEVELS

# Fields are parts of square sections with roads between them. Sizes are world metres.
_SECTION = 1600.0
_COLUMNS = np.array([1, 2, 2, 2, 3, 4, 4, 2], np.float32)
_ROWS = np.array([2, 1, 2, 2, 2, 1, 3, 4], np.float32)
_AGAIN = np.array([1, 1, 1, 1, 1, 2, 2, 3], np.float32)
_FREQUENCIES = {
    **dict.fromkeys(range(ROTATION, KINDS), 23),
    **{ALFALFA: 28, ORCHARD: 40, VINEYARD: 14, PASTURE: 16, FALLOW: 20},
}
_USES = np.repeat(list(_FREQUENCIES), list(_FREQUENCIES.values())).astype(np.uint16)  # 256 of them
_TOWN_CELL = 11_000.0
_STREETS = 110.0


class Landscape:
    """The ground over one lattice."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice

    def states(self, grid: Grid, grain: NDArray[np.uint32]) -> NDArray[np.uint16]:
        """Return the ground state of each pixel, rows x columns; ``grain``: the grid's."""
        spread = self.lattice.spread
        x, y = (spread(nodes, grid) for nodes in self._bent)
        patches = spread(self._patches, grid)
        texture = patches * np.float32(1.3)
        kind, variant = _fields(x, y)

        wildness = spread(self._wildness, grid) + bits(grain, 0) * np.float32(0.02)
        wild = wildness > 0
        if wild.any():
            woods = spread(self._woods, grid) + wildness * 1.2 + (bits(grain, 4) - 0.5) * 0.5
            nature = np.select(
                [woods > 0.95, woods > 0.5, woods > 0.2], [CONIFERS, BROADLEAVES, SHRUBS], GRASSLAND
            )
            kind = np.where(wild, nature, kind)
            texture = np.where(wild, spread(self._relief, grid), texture)
        towns = spread(self._towns, grid)
        if towns.min() < 60:
            inside = towns < (bits(grain, 16) - 0.5) * 60
            homes, block = _streets(x, y, grain)
            kind, variant = np.where(inside, homes, kind), np.where(inside, block, variant)
        river = np.abs(spread(self._river, grid))
        if river.min() < 250:
            trees = np.where(bits(grain, 8) < 0.7, BROADLEAVES, GRASSLAND)
            kind = np.where(river < 95 + patches * 75, trees, kind)
            kind = np.where(river < 27 + patches * 9, RIVER, kind)
        kind = np.where((spread(self._lakes, grid) > 1.02) & (wildness > -0.45), WATER, kind)
        canal = np.abs(spread(self._canal, grid))
        if canal.min() < 40:
            kind = np.where(canal < 24, np.where(canal < 13, WATER, MARGIN), kind)

        noisy = texture * 1.6 + (bits(grain, 12) + bits(grain, 20)) * 2.2 + 1.8
        level = np.clip(noisy, 0, LEVELS - 1).astype(np.uint16)
        surface = kind.astype(np.uint16) * VARIANTS + variant.astype(np.uint16)
        states: NDArray[np.uint16] = surface * np.uint16(LEVELS) + level
        return states

    # What follows lives on the lattice's nodes.

    @cached_property
    def _bent(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """World metres, bent a little: roads and ditches are not quite straight."""
        x, y = self.lattice.world
        return (
            x + smooth(x, y, 7000, 1) * 160 + smooth(x, y, 2300, 2) * 35,
            y + smooth(x, y, 7000, 3) * 160 + smooth(x, y, 2300, 4) * 35,
        )

    @cached_property
    def _patches(self) -> NDArray[np.float32]:
        """Better and poorer ground within fields."""
        x, y = self.lattice.world
        return (smooth(x, y, 900, 5) + smooth(x, y, 380, 6) * 0.8).astype(np.float32)

    @cached_property
    def _wildness(self) -> NDArray[np.float32]:
        """Above 0: hills under grass, shrubs and woods instead of fields."""
        return (fractal(*self.lattice.world, 30_000, 4, 7) - 0.34).astype(np.float32)

    @cached_property
    def _woods(self) -> NDArray[np.float32]:
        return fractal(*self.lattice.world, 2600, 4, 8, gain=0.6).astype(np.float32)

    @cached_property
    def _relief(self) -> NDArray[np.float32]:
        """Light and shade on hillsides; the morning sun is in the south-east."""
        x, y = self.lattice.world
        height = fractal(x, y, 3200, 4, 9, gain=0.55)
        sunwards = fractal(x + 60, y - 60, 3200, 4, 9, gain=0.55)
        return ((height - sunwards) * 9).astype(np.float32)

    @cached_property
    def _river(self) -> NDArray[np.float32]:
        return self._distance(26_000, 11, bend=520)

    @cached_property
    def _canal(self) -> NDArray[np.float32]:
        return self._distance(41_000, 17, bend=60)

    def _distance(self, wavelength: float, seed: int, *, bend: float) -> NDArray[np.float32]:
        """Metres to a winding line without ends, negative on one side so that it can be interpolated.

        The line is where noise crosses zero; the noise over its slope is the distance.
        """
        x, y = self.lattice.world

        def height(dx: float, dy: float) -> NDArray[np.float64]:
            px, py = x + dx, y + dy
            bent_x = px + (smooth(px, py, 2900, seed + 1) + smooth(px, py, 1100, seed + 4) * 0.28) * bend
            bent_y = py + (smooth(px, py, 2900, seed + 2) + smooth(px, py, 1100, seed + 5) * 0.28) * bend
            valley = smooth(bent_x, bent_y, wavelength, seed)
            return valley + smooth(bent_x, bent_y, wavelength * 0.37, seed + 3) * 0.25

        here = height(0, 0)
        east, north = height(25, 0) - here, height(0, 25) - here
        slope = np.sqrt(east * east + north * north) / 25
        return (here / (slope + 2e-5)).astype(np.float32)

    @cached_property
    def _lakes(self) -> NDArray[np.float32]:
        return fractal(*self.lattice.world, 9000, 3, 23).astype(np.float32)

    @cached_property
    def _towns(self) -> NDArray[np.float32]:
        """Metres to the nearest town, below 0 inside. There is one at most in a cell of 11 km."""
        x, y = self.lattice.world
        i, j = np.floor(x / _TOWN_CELL), np.floor(y / _TOWN_CELL)
        nearest = np.full(x.shape, np.inf)
        for dj in (-1, 0, 1):
            for di in (-1, 0, 1):
                h = hash2(i + di, j + dj, 29)
                radius = np.where(bits(h, 24) < 0.51, 350 + 1500 * bits(h, 0) ** 2, -1e6)
                px = (i + di + 0.2 + bits(h, 8) * 0.6) * _TOWN_CELL
                py = (j + dj + 0.2 + bits(h, 16) * 0.6) * _TOWN_CELL
                nearest = np.minimum(nearest, np.sqrt((x - px) ** 2 + (y - py) ** 2) - radius)
        return (nearest + fractal(x, y, 1300, 3, 31) * 330).astype(np.float32)


def _fields(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return kind and variant of farmland at (bent) world metres."""
    x, y = x * (1 / _SECTION), y * (1 / _SECTION)
    i, j = np.floor(x), np.floor(y)
    u, v = (x - i).astype(np.float32), (y - j).astype(np.float32)
    section = hash2(i, j, 41)
    road = (_to_edge(u) * _SECTION < 9) | (_to_edge(v) * _SECTION < 9)
    # A section is cut into rectangles, and some of them are cut again.
    columns, rows = _COLUMNS[section & 7], _ROWS[(section >> 3) & 7]
    part, u, v = _cut(section, u, v, columns, rows)
    more_columns, more_rows = _AGAIN[part & 7], _AGAIN[(part >> 3) & 7]
    field, field_u, field_v = _cut(part, u, v, more_columns, more_rows)
    width, height = _SECTION / (columns * more_columns), _SECTION / (rows * more_rows)
    kind = _USES[field & 255]
    # Centre pivots: a round field in a square, its corners left dry.
    square = (columns == rows) & (more_columns * more_rows == 1)
    pivot = square & ((part >> 12) & 3 == 0)
    if pivot.any():
        kind = np.where(pivot & ((u - 0.5) ** 2 + (v - 0.5) ** 2 > 0.235), FALLOW, kind)
    border = (_to_edge(field_u) * width < 5) | (_to_edge(field_v) * height < 5)
    kind = np.where(border, MARGIN, kind)
    return np.where(road, ROAD, kind), (field >> 8) & 15


def _cut(
    parent: NDArray[np.uint32], u: NDArray[Any], v: NDArray[Any], columns: NDArray[Any], rows: NDArray[Any]
) -> tuple[NDArray[np.uint32], NDArray[Any], NDArray[Any]]:
    """Cut rectangles into columns x rows; return the parts' hashes and the places (0..1) within them."""
    u, v = u * columns, v * rows
    i, j = np.floor(u), np.floor(v)
    part = parent + (i * 5 + j + 1).astype(np.uint32) * np.uint32(0x9E3779B9)
    return mix(part), u - i, v - j


def _streets(
    x: NDArray[Any], y: NDArray[Any], grain: NDArray[np.uint32]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return kind and variant inside towns: blocks of houses, gardens, trees, streets between."""
    x, y = x * (1 / _STREETS), y * (1 / _STREETS)
    i, j = np.floor(x), np.floor(y)
    block = hash2(i, j, 43)
    street = (_to_edge(x - i) < 0.07) | (_to_edge(y - j) < 0.07)
    green = (bits(block, 0) < 0.14) | (bits(grain, 24) < 0.22)
    garden = np.where(bits(grain, 2) < 0.6, PASTURE, BROADLEAVES)
    return np.where(street, ROAD, np.where(green, garden, BUILT_UP)), (block >> 8) & 15


def _to_edge(position: NDArray[Any]) -> NDArray[Any]:
    """Distance to the nearer end of 0..1."""
    nearer: NDArray[Any] = np.minimum(position, 1 - position)
    return nearer
