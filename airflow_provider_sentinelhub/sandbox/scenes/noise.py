"""Noise: numbers that look random and are a pure function of place.

Positions are world metres (see `lattice.Lattice`), so that whatever is made of noise continues from tile
to tile. Only sums, products and integer operations touch the values: they give the same bits wherever in
an array, and on whichever machine, a position is evaluated. So neighbouring tiles agree exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Unit vectors; a table, because sin and cos may differ in the last bit between machines.
_OCTANT = [(1.0, 0.0), (0.92388, 0.38268), (0.70711, 0.70711), (0.38268, 0.92388)]
_HALF = [*_OCTANT, *[(-y, x) for x, y in _OCTANT]]
_GRADIENTS = np.array(_HALF + [(-x, -y) for x, y in _HALF])


def hash2(i: NDArray[Any], j: NDArray[Any], seed: int) -> NDArray[np.uint32]:
    """Mix two whole numbers per element into 32 random bits."""
    h = i.astype(np.int64).astype(np.uint32) * np.uint32(0x8DA6B343)
    h ^= j.astype(np.int64).astype(np.uint32) * np.uint32(0xD8163841)
    h ^= np.uint32((seed * 0xCB1AB31F) & 0xFFFFFFFF)
    return mix(h)


def mix(h: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Scramble 32 bits (a bijection)."""
    h = h ^ (h >> np.uint32(16))
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h


def bits(h: NDArray[np.uint32], shift: int, count: int = 8) -> NDArray[np.float32]:
    """Return some bits of hashes as a number in 0..1."""
    top = (1 << count) - 1
    part: NDArray[np.float32] = ((h >> np.uint32(shift)) & np.uint32(top)).astype(np.float32)
    part *= np.float32(1 / top)
    return part


def smooth(
    x: NDArray[np.float64], y: NDArray[np.float64], wavelength: float, seed: int
) -> NDArray[np.float64]:
    """Gradient noise, about -1..1, with bumps of the given size (in the unit of x and y)."""
    x = x * (1.0 / wavelength)
    y = y * (1.0 / wavelength)
    i, j = np.floor(x), np.floor(y)
    u, v = x - i, y - j
    corners = []
    for dj in (0, 1):
        for di in (0, 1):
            gradient = _GRADIENTS[hash2(i + di, j + dj, seed) & np.uint32(15)]
            corners.append(gradient[..., 0] * (u - di) + gradient[..., 1] * (v - dj))
    fade_u = u * u * u * (u * (u * 6.0 - 15.0) + 10.0)
    fade_v = v * v * v * (v * (v * 6.0 - 15.0) + 10.0)
    south = corners[0] + (corners[1] - corners[0]) * fade_u
    north = corners[2] + (corners[3] - corners[2]) * fade_u
    value: NDArray[np.float64] = (south + (north - south) * fade_v) * 1.5
    return value


def fractal(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    wavelength: float,
    octaves: int,
    seed: int,
    *,
    gain: float = 0.5,
) -> NDArray[np.float64]:
    """Sum octaves of `smooth`, each half as long and ``gain`` as strong as the one before; about -1..1."""
    total = np.zeros_like(x)
    weight = 1.0
    power = 0.0
    for octave in range(octaves):
        total += smooth(x, y, wavelength, seed * 31 + octave) * weight
        power += weight * weight
        wavelength *= 0.5
        weight *= gain
    total *= 1.0 / power**0.5
    return total
