"""Read bands of scenes at the pixels of a grid."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.scenes import sky, sun
from airflow_provider_sentinelhub.sandbox.scenes.landscape import Landscape
from airflow_provider_sentinelhub.sandbox.scenes.lattice import Grid, Lattice, metres_per_unit, to_lonlat
from airflow_provider_sentinelhub.sandbox.scenes.radiometry import Appearance
from airflow_provider_sentinelhub.sandbox.scenes.resampling import resample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.scenes.orbits import Pass
    from airflow_provider_sentinelhub.sandbox.scenes.products import Product

#: Metres per source pixel (documented). dataMask has none: it is made for the pixels of the output.
RESOLUTIONS = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12", "SCL", "SNW", "CLD", "AOT"), 20),
    **dict.fromkeys(("B01", "B09", "B10"), 60),
    **dict.fromkeys(("CLM", "CLP"), 160),
    **dict.fromkeys(sun.ANGLES, 5000),
}
#: What turns source values (digital numbers) into a unit; 1 for those that are not listed.
SCALES = {"REFLECTANCE": 0.0001, "OPTICAL_DEPTH": 0.001}

_NEVER_INTERPOLATED = {"SCL", "CLM", *sun.ANGLES}  # classes (assumed) and angles (documented)
_NEW_BASELINE, _OFFSET = date(2022, 1, 25), 1000  # processing baseline 04.00 raised the digital numbers
_MARGIN = 2  # source pixels around the tile that interpolation needs


class Reader:
    """Reads scenes of one tile.

    :param bands: those that `Block.read` returns, with their units
    :param processing: ``input.data[].processing`` of the request. ``upsampling`` and ``harmonizeValues``
        count; ``downsampling`` does not: of smaller source pixels the nearest is taken (assumed).
    :param resolution: of the pixels, in units of the CRS
    """

    def __init__(
        self, lattice: Lattice, bands: Mapping[str, str], processing: Mapping[str, Any], resolution: float
    ) -> None:
        self.lattice = lattice
        self.bands = bands
        self.landscape = Landscape(lattice)
        self.upsampling = str(processing.get("upsampling", "NEAREST"))
        self.harmonize = bool(processing.get("harmonizeValues", True))
        self.unit = metres_per_unit(lattice.epsg)
        self.pixel_metres = resolution * self.unit
        self._skies: dict[date, sky.Sky] = {}

    def scales(self) -> dict[str, float]:
        """Return the factor from source values to the unit, by band."""
        return {band: SCALES.get(unit, 1.0) for band, unit in self.bands.items()}

    def block(self, grid: Grid) -> Block:
        """Prepare some rows of the tile for reading."""
        return Block(self, grid)

    def sky(self, orbit: Pass) -> sky.Sky:
        """Return the sky that a pass sees."""
        day = orbit.node_time.date()
        if day not in self._skies:
            self._skies[day] = sky.Sky(self.lattice, day)
        return self._skies[day]

    def table(self, product: Product, band: str) -> NDArray[Any]:
        """Return a band's values over ground and sky states."""
        day = product.orbit.node_time.date()
        raw = day >= _NEW_BASELINE and not self.harmonize and self.bands[band] == "DN"
        appearance = _appearance(day, self.lattice.southern, product.collection == "sentinel-2-l1c")
        return _table(appearance, band, _OFFSET if raw else 0)


class Block:
    """Some rows of a tile: one ground under all the scenes."""

    def __init__(self, reader: Reader, grid: Grid) -> None:
        self.reader = reader
        self.grid = grid
        self._sources: dict[int, Grid] = {}
        for metres in {RESOLUTIONS[band] for band in reader.bands if band in RESOLUTIONS}:
            coarser = metres > reader.pixel_metres * 1.001
            self._sources[metres] = grid.native(metres / reader.unit, _MARGIN) if coarser else grid
        self._ground: dict[int, tuple[NDArray[np.uint32], NDArray[np.uint32]]] = {}

    def read(
        self, products: Sequence[Product], area: NDArray[np.bool_] | None
    ) -> tuple[dict[str, NDArray[Any]], int]:
        """Flatten products into one sample per pixel, that of the first product with data there.

        :param area: the pixels that were asked for; outside, and where no product has data, bands are 0
        :return: source values by band, ``dataMask`` always among them, and the number of pixels that some
            product covers (inside the area or not)
        """
        left = np.ones(self.grid.shape, bool)  # pixels without data so far
        picture: dict[str, NDArray[Any]] = {}
        seen: dict[Pass, dict[str, NDArray[Any]]] = {}
        for product in products:
            here = left & self._covered(product)
            if not here.any():
                continue
            if product.orbit not in seen:
                seen[product.orbit] = self._bands(product)
            values = seen[product.orbit]
            if here.all():
                picture = values
            for band, array in values.items() if picture is not values else ():
                target = picture.setdefault(band, np.zeros(self.grid.shape, array.dtype))
                np.copyto(target, array, where=here)
            left &= ~here
            if not left.any():
                break
        valid = ~left if area is None else ~left & area
        return self._masked(picture, valid), left.size - int(left.sum())

    def _covered(self, product: Product) -> NDArray[np.bool_]:
        nodes = product.coverage(self.reader.lattice)
        if (nodes[self.reader.lattice.inner] > 0).all():
            return np.ones(self.grid.shape, bool)
        covered: NDArray[np.bool_] = self.reader.lattice.spread(nodes, self.grid) > 0
        return covered

    def _masked(self, picture: dict[str, NDArray[Any]], valid: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
        masked: dict[str, NDArray[Any]] = {"dataMask": valid.astype(np.uint8)}
        complete = bool(valid.all())
        for band in self.reader.bands:
            if band not in masked:
                values = picture.get(band)
                if values is None:
                    values = np.zeros(self.grid.shape, np.uint16)
                masked[band] = values if complete else values * valid
        return masked

    def _bands(self, product: Product) -> dict[str, NDArray[Any]]:
        states: dict[int, NDArray[np.uint32]] = {}
        bands = {}
        for band in self.reader.bands:
            if band != "dataMask":
                source = self._sources[RESOLUTIONS[band]]
                method = "NEAREST" if band in _NEVER_INTERPOLATED else self.reader.upsampling
                bands[band] = resample(self._source(band, product, states), source, self.grid, method)
        return bands

    def _source(self, band: str, product: Product, states: dict[int, NDArray[np.uint32]]) -> NDArray[Any]:
        """Return the values of a band in its source's pixels; ``states`` is shared by the product's bands."""
        metres = RESOLUTIONS[band]
        grid = self._sources[metres]
        above = self.reader.sky(product.orbit)
        if band in sun.ANGLES:
            xs, ys = np.meshgrid(grid.xs, grid.ys)
            lon, lat = to_lonlat(grid.epsg).transform(xs, ys)
            return sun.angles(band, product.orbit, np.asarray(lon), np.asarray(lat))
        if band in ("CLM", "CLP", "CLD"):
            return above.mask(band, grid)
        if band == "SNW":  # it never snows
            return np.zeros(grid.shape, np.uint8)
        if band == "AOT":  # the same haze all over the scene
            return np.full(grid.shape, 60 + product.orbit.node_time.toordinal() % 11 * 14, np.uint16)
        if metres not in states:
            ground, grain = self._surface(metres)
            states[metres] = ground * np.uint32(sky.STATES) + above.states(grid, grain)
        values: NDArray[Any] = self.reader.table(product, band)[states[metres]]
        return values

    def _surface(self, metres: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Return ground states and grain of a source's pixels."""
        if metres not in self._ground:
            grid = self._sources[metres]
            grain = grid.grain()
            self._ground[metres] = self.reader.landscape.states(grid, grain).astype(np.uint32), grain
        return self._ground[metres]


@lru_cache(maxsize=32)
def _appearance(day: date, southern: bool, toa: bool) -> Appearance:
    return Appearance(day, southern, toa)


@lru_cache(maxsize=64)
def _table(appearance: Appearance, band: str, offset: int) -> NDArray[Any]:
    return appearance.classes() if band == "SCL" else appearance.band(band, offset)
