"""The sky of the synthetic world: how cloudy each day is where, and what a pixel sees of it.

Each pixel gets a *sky state*: clear, one of 3 depths of a cloud's shadow, or a cloud of one of 7 opacities
and 4 brightnesses.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.scenes.noise import fractal, smooth

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.scenes.lattice import Grid, Lattice

_SHADOWS = 3
_OPACITIES = 7
_BRIGHTNESSES = 4
_CLEAR = 1 + _SHADOWS  # states without a cloud
STATES = _CLEAR + _OPACITIES * _BRIGHTNESSES

# By state: how much of the cloud is seen, how bright it is, how much light falls on the ground.
OPACITY = np.append(np.zeros(_CLEAR), np.repeat([0.10, 0.25, 0.42, 0.60, 0.78, 0.92, 1.0], _BRIGHTNESSES))
BRIGHTNESS = np.append(np.ones(_CLEAR), np.tile([0.80, 0.93, 1.05, 1.16], _OPACITIES))
LIGHT = np.append([1.0, 0.82, 0.66, 0.52], np.full(_OPACITIES * _BRIGHTNESSES, 0.85))
# Scene classification: shadow 3, cirrus 10, medium and high probability of clouds 8 and 9; 0: the ground's.
CLASSES = (0, 0, 3, 3, *(scl for scl in (10, 8, 8, 8, 9, 9, 9) for _ in range(_BRIGHTNESSES)))

_SHADOW_METRES = 480.0  # from a shadow to its cloud, eastwards and southwards (in the south: northwards)
_WEATHER = 53  # picks one course of the weather among many
_SPREAD = 1.1  # standard deviation of the thickness


def cloudiness(latitude: NDArray[np.float64], day: date) -> NDArray[np.float64]:
    """Return the usual share of clouds: wet tropics and temperate zones, dry subtropical summers."""
    distance = np.abs(latitude)
    tropics = np.exp(-((distance / 9) ** 2))
    subtropics = np.exp(-(((distance - 33) / 10) ** 2))
    winter = math.cos((day.timetuple().tm_yday - 15) / 365.25 * 2 * math.pi) * np.sign(latitude)
    season = winter * (1 - tropics) * (0.09 + 0.05 * subtropics)
    share: NDArray[np.float64] = 0.53 + 0.1 * tropics - 0.22 * subtropics + season
    return share


def thickness(
    x: NDArray[np.float64], y: NDArray[np.float64], latitude: NDArray[np.float64], day: date
) -> NDArray[np.float64]:
    """Return how thick the clouds are at world positions: below 0 none, about 1 opaque."""
    seed = (day.toordinal() + _WEATHER) % 65_521 * 7
    # Moved about from day to day: gradient noise has its zeros on a fixed grid.
    x, y = x + seed * 7919 % 400_009, y + seed * 6007 % 400_009
    # Where fronts and highs are that day; then the clouds themselves.
    weather = smooth(x, y, 420_000, seed + 1) + smooth(x, y, 130_000, seed + 2) * 0.8
    clouds = fractal(x, y, 13_000, 6, seed + 3, gain=0.62)
    share = cloudiness(latitude, day)
    quantile = np.round(np.log(share / (1 - share)) * 0.62, 6)  # about the normal distribution's
    total: NDArray[np.float64] = weather * 2.2 + clouds * 1.05 + quantile * _SPREAD + 0.2
    return total


class Sky:
    """The clouds of one day over one lattice."""

    def __init__(self, lattice: Lattice, day: date) -> None:
        self.lattice = lattice
        self.day = day

    @cached_property
    def _thickness(self) -> NDArray[np.float32]:
        latitude = self.lattice.lonlat[1]
        return thickness(*self.lattice.world, latitude, self.day).astype(np.float32)

    @cached_property
    def _sunwards(self) -> NDArray[np.float32]:
        """Thickness of the clouds between the nodes and the morning sun."""
        away = max(1, round(_SHADOW_METRES / self.lattice.step_metres))
        # Rolled round the edges, but the lattice's margin is wider than that.
        return np.roll(self._thickness, (-away if self.lattice.southern else away, -away), axis=(0, 1))

    def states(self, grid: Grid, grain: NDArray[np.uint32]) -> NDArray[np.uint8]:
        """Return the sky state of each pixel, rows x columns; ``grain``: the grid's."""
        if np.max(self._thickness) <= -0.2:
            return np.zeros(grid.shape, np.uint8)
        above = self.lattice.spread(self._thickness, grid)
        sunwards = self.lattice.spread(self._sunwards, grid)
        # Dithered: steps between states would draw contour lines.
        dither = ((grain >> np.uint32(3)) & np.uint32(63)).astype(np.float32) * np.float32(1 / 64)
        shadow = _steps(sunwards * 6 + dither, _SHADOWS)
        opacity = _steps(above * 8 + dither, _OPACITIES)
        # Tops that face the sun are bright.
        bright = _steps((above - sunwards) * 1.6 + above * 0.5 + 0.5 + dither, _BRIGHTNESSES - 1)
        cloud = (opacity - np.uint8(1)) * np.uint8(_BRIGHTNESSES) + bright + np.uint8(_CLEAR)
        states: NDArray[np.uint8] = np.where(opacity > 0, cloud, shadow)
        return states

    def mask(self, band: str, grid: Grid) -> NDArray[np.uint8]:
        """Return cloud mask CLM (0, 1), cloud probability CLP (0..255) or CLD (percent) of each pixel.

        They reach a little beyond the visible clouds, as the real ones are meant to.
        """
        probability = np.clip(self.lattice.spread(self._thickness, grid) * 1.6 + 0.5, 0.01, 1)
        if band == "CLM":
            return (probability > 0.4).astype(np.uint8)
        scaled: NDArray[np.uint8] = np.round(probability * (255 if band == "CLP" else 100)).astype(np.uint8)
        return scaled


def _steps(values: NDArray[Any], highest: int) -> NDArray[np.uint8]:
    whole: NDArray[np.uint8] = np.clip(values, 0, highest).astype(np.uint8)
    return whole
