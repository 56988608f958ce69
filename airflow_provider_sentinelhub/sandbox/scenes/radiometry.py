"""What a ground state under a sky state looks like on a given day: digital numbers for every band.

All values come from tables over (ground state, sky state), made once per day, so that a pixel costs one
look-up per band. Reflectances and crop calendars are plausible (California's Central Valley), not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.scenes import landscape as ground
from airflow_provider_sentinelhub.sandbox.scenes import sky

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")

# Surface reflectance in per mille, in the order of BANDS (B10 sees no ground).
_SPECTRA = {
    "canopy": (18, 26, 58, 28, 95, 330, 440, 470, 485, 470, 0, 205, 95),
    "orchard": (22, 32, 58, 42, 100, 250, 310, 335, 345, 340, 0, 215, 120),
    "conifers": (14, 19, 33, 21, 52, 160, 200, 225, 235, 230, 0, 115, 55),
    "broadleaves": (15, 21, 45, 24, 75, 280, 360, 385, 395, 390, 0, 170, 78),
    "shrubs": (28, 38, 62, 58, 105, 190, 225, 240, 255, 260, 0, 225, 150),
    "straw": (70, 92, 142, 190, 222, 252, 280, 305, 325, 330, 0, 385, 290),
    "soil": (78, 100, 138, 178, 202, 218, 232, 245, 256, 260, 0, 330, 290),
    "dry grass": (62, 82, 122, 158, 195, 232, 258, 278, 298, 305, 0, 355, 245),
    "water": (42, 44, 38, 20, 16, 12, 11, 10, 9, 9, 0, 5, 3),
    "river": (58, 66, 82, 66, 58, 40, 38, 34, 31, 30, 0, 14, 9),
    "roofs": (112, 126, 142, 158, 170, 178, 186, 195, 200, 200, 0, 222, 205),
    "asphalt": (95, 108, 122, 136, 146, 152, 158, 164, 170, 170, 0, 195, 182),
}
_CLOUD = np.array([720, 740, 750, 755, 765, 770, 775, 780, 785, 640, 70, 560, 470]) / 1000
# At the top of the atmosphere: scattered light added, and the share left of the ground's.
_PATH = np.array([105, 78, 46, 27, 22, 17, 14, 11, 9, 5, 2, 3, 1]) / 1000
_TRANSMITTANCE = np.array([82, 86, 91, 94, 95, 95, 96, 97, 97, 45, 3, 97, 97]) / 100

_YEAR = 365.25
_SOWING = 290  # day of the year from which the next year's crops count


@dataclass(frozen=True)
class Cover:
    """A canopy over a background, and how much of it there is over the year.

    :ivar seasons: day of the year at which it is halfway up, days that takes, day halfway down (above 365: in
        the next year), days that takes, height
    :ivar contrast: how much lighter and darker the levels of texture are
    :ivar farmed: sown earlier or later, stronger or weaker, on better or poorer soil, as the variant says
    """

    canopy: str
    background: str
    base: float = 0.0
    seasons: tuple[tuple[float, float, float, float, float], ...] = ()
    contrast: float = 0.05
    farmed: bool = True

    def greenness(self, day: NDArray[Any]) -> NDArray[Any]:
        """Return the share of the canopy (0..1) on days of the year."""
        total = np.full(day.shape, self.base)
        for up, up_days, down, down_days, height in self.seasons:
            for lap in (-_YEAR, 0.0, _YEAR):
                grown = 1 / (1 + np.exp(-(day - up - lap) * (4 / up_days)))
                gone = 1 / (1 + np.exp(-(day - down - lap) * (4 / down_days)))
                total += height * (grown - gone)
        return total


def _wild(
    canopy: str, background: str, base: float, *seasons: tuple[float, ...], contrast: float = 0.24
) -> Cover:
    return Cover(canopy, background, base, seasons, contrast, farmed=False)  # type: ignore[arg-type]


_HAY_CUTS = tuple((75.0 + 33 * n, 22.0, 100.0 + 33 * n, 4.0, 0.62) for n in range(7))
_COVERS = {
    ground.WATER: _wild("water", "water", 0, contrast=0.02),
    ground.RIVER: _wild("river", "river", 0, contrast=0.02),
    ground.CONIFERS: _wild("conifers", "shrubs", 0.9),
    ground.BROADLEAVES: _wild("broadleaves", "shrubs", 0.12, (105, 30, 305, 40, 0.78)),
    ground.GRASSLAND: _wild("canopy", "dry grass", 0.08, (30, 60, 128, 40, 0.55)),
    ground.SHRUBS: _wild("shrubs", "dry grass", 0.45, (60, 60, 180, 80, 0.35)),
    ground.BUILT_UP: Cover("canopy", "roofs", 0.13, ((80, 40, 300, 60, 0.08),)),
    ground.ROAD: Cover("canopy", "asphalt", 0.06),
    ground.MARGIN: Cover("canopy", "straw", 0.15, ((40, 50, 135, 40, 0.3),)),
    ground.ALFALFA: Cover("canopy", "soil", 0.28, _HAY_CUTS),
    ground.ORCHARD: Cover("orchard", "dry grass", 0.2, ((75, 30, 315, 40, 0.7),)),
    ground.VINEYARD: Cover("canopy", "soil", 0.05, ((110, 35, 300, 40, 0.5),)),
    ground.PASTURE: Cover("canopy", "dry grass", 0.45, ((70, 60, 310, 60, 0.33),)),
    ground.FALLOW: Cover("canopy", "soil", 0.03, ((25, 50, 100, 30, 0.22),)),
}
_ANNUAL_CROPS = (
    Cover("canopy", "straw", 0.02, ((20, 70, 148, 28, 0.93),)),  # winter cereals
    Cover("canopy", "soil", 0.03, ((153, 26, 258, 30, 0.95),)),  # maize
    Cover("canopy", "soil", 0.03, ((160, 40, 278, 34, 0.82),)),  # cotton
    Cover("canopy", "soil", 0.03, ((130, 30, 215, 22, 0.8),)),  # tomatoes
    Cover("canopy", "straw", 0.03, ((35, 50, 125, 18, 0.85), (180, 24, 275, 26, 0.9))),  # cereals, then maize
    Cover("canopy", "soil", 0.02, ((310, 60, 455, 40, 0.3),)),  # nothing but weeds in the wet months
)
_SCENE_CLASSES = {ground.WATER: 6, ground.RIVER: 6, ground.BUILT_UP: 5, ground.ROAD: 5}


@dataclass(frozen=True)
class Appearance:
    """The tables of one day. Flattened: the index is ``ground_state * sky.STATES + sky_state``.

    :ivar southern: seasons are shifted by half a year
    :ivar toa: seen from the top of the atmosphere (L1C) instead of at the surface (L2A)
    """

    day: date
    southern: bool
    toa: bool

    @cached_property
    def _surface(self) -> NDArray[np.float64]:
        """Surface reflectance: ground states x bands."""
        season = self.day.timetuple().tm_yday + (_YEAR / 2 if self.southern else 0.0)
        year = self.day.year + int(season // _YEAR) + int(season % _YEAR > _SOWING)
        variant = np.arange(ground.VARIANTS)[:, np.newaxis]
        level = np.linspace(-1, 1, ground.LEVELS)[np.newaxis, :]
        early = np.array([-16.0, -5.0, 5.0, 16.0])[variant & 3]
        vigour = np.array([0.84, 0.94, 1.0, 1.06])[variant >> 2] * (1 + level * 0.13)
        soil = np.array([1.0, 0.72, 1.18, 0.88])[(variant + (variant >> 2)) & 3]
        table = np.empty((ground.KINDS, ground.VARIANTS, ground.LEVELS, len(BANDS)))
        for kind in range(ground.KINDS):
            if kind < ground.ROTATION:
                cover = _COVERS[kind]
            else:
                cover = _ANNUAL_CROPS[(kind - ground.ROTATION + year) % len(_ANNUAL_CROPS)]
            if cover.farmed:
                share = cover.greenness((season + early) % _YEAR) * vigour
            else:
                share = cover.greenness(np.array([[season % _YEAR]])) * (1 + level * 0.05)
            share = np.clip(share, 0, 1)[..., np.newaxis]
            bare = _reflectance(cover.background) * (soil[..., np.newaxis] if cover.farmed else 1.0)
            light = 1 + level[..., np.newaxis] * cover.contrast
            table[kind] = (share * _reflectance(cover.canopy) + (1 - share) * bare) * light
        return table.reshape(ground.STATES, len(BANDS))

    def band(self, name: str, offset: int = 0) -> NDArray[np.uint16]:
        """Return the digital numbers of an optical band, 10,000 times the reflectance plus an offset."""
        b = BANDS.index(name)
        surface = self._surface[:, b][:, np.newaxis]
        if self.toa:
            surface = surface * _TRANSMITTANCE[b] + _PATH[b]
        cloud = _CLOUD[b] * sky.BRIGHTNESS
        seen = surface * sky.LIGHT * (1 - sky.OPACITY) + cloud * sky.OPACITY
        # Never 0, which means no data in the real products.
        numbers: NDArray[Any] = np.clip(np.round(seen * 10_000) + offset, 1, 32_767)
        return numbers.astype(np.uint16).reshape(-1)

    def classes(self) -> NDArray[np.uint8]:
        """Return the scene classification, SCL."""
        red, infrared = self._surface[:, BANDS.index("B04")], self._surface[:, BANDS.index("B08")]
        land = np.where(infrared > 2.2 * red, 4, 5).astype(np.uint8)
        by_kind = land.reshape(ground.KINDS, -1)
        for kind, scl in _SCENE_CLASSES.items():
            by_kind[kind] = scl
        above = np.array(sky.CLASSES, np.uint8)
        return np.where(above > 0, above, land[:, np.newaxis]).reshape(-1)


def _reflectance(spectrum: str) -> NDArray[np.float64]:
    return np.array(_SPECTRA[spectrum]) / 1000
