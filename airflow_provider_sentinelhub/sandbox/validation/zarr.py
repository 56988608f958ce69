"""What a request for Zarr must look like, as far as its JSON shows."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from airflow_provider_sentinelhub.sandbox.grids import GRIDS
from airflow_provider_sentinelhub.sandbox.steering import is_number, is_whole
from airflow_provider_sentinelhub.sandbox.validation.findings import Findings, Json
from airflow_provider_sentinelhub.sandbox.zarr.layout import (
    COORDINATES,
    DEFAULTS,
    NOT_A_NUMBER,
    REQUIRED,
    SAMPLE_TYPES,
    merged,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CHUNKS = 10_000  # of an array in a tile: what the sandbox takes on

# Compressors and their parameters; the document gives an example, this list is assumed.
_COMPRESSORS: dict[str, dict[str, Sequence[object]]] = {
    "blosc": {
        "cname": ("blosclz", "lz4", "lz4hc", "zlib", "zstd"),
        "clevel": range(10),
        "shuffle": range(-1, 3),
        "blocksize": range(2**24 + 1),
    },
    "bz2": {"level": range(1, 10)},
    "gzip": {"level": range(10)},
    "lz4": {"acceleration": range(1, 65_538)},
    "zlib": {"level": range(-1, 10)},
    "zstd": {"level": range(-7, 23), "checksum": (False, True)},
}


class ZarrFindings(Findings):
    """The findings about Zarr in ``output``, ``input`` and the responses; fills in the defaults."""

    def check(self, output: Json, grid: Json | None, identifiers: Sequence[str]) -> None:
        """Look at an ``output`` of type zarr, at ``input``, and at the responses' identifiers."""
        # Those that are no text are faults found already.
        identifiers = [name for name in identifiers if isinstance(name, str)]
        self._group(output)
        if grid is not None:
            self._grid(grid)
        for index, identifier in enumerate(identifiers):
            if identifier in (*COORDINATES, "userdata") or identifier.startswith("."):
                at = ("processRequest", "output", f"responses[{index}]", "identifier")
                self.fail(at, f"'{identifier}' cannot be the name of a Zarr array")
        self._arrays(output, identifiers, None if grid is None else _tile_size(grid))

    def _group(self, output: Json) -> None:
        group = self.child(output, "group", ("output",))
        if group is None:
            return
        at = ("output", "group")
        if group.get("zarr_format") != 2:
            self.fail((*at, "zarr_format"), "must be 2")
        coordinates = self.child(group, "coordinates", at, default={})
        if coordinates is not None:
            coordinates.setdefault("origin", "topLeft")
            self.choice(coordinates, "origin", (*at, "coordinates"), ("topLeft", "bottomLeft"))
        if "customAttributes" in group:
            self.child(group, "customAttributes", at)

    def _grid(self, grid: Json) -> None:
        if grid.get("type") == "geopackage":
            self.fail(("input", "type"), "Zarr output needs a tiling grid")  # assumed
            return
        number = grid.get("id")
        if is_whole(number) and number in GRIDS and not GRIDS[int(number)].single_crs:
            able = ", ".join(str(id_) for id_, known in GRIDS.items() if known.single_crs)
            self.fail(("input", "id"), f"Zarr output needs a grid in a single CRS: {able}")
        for key in ("bufferX", "bufferY"):
            if is_number(grid.get(key)) and grid[key] > 0:
                # Tiles would overlap (assumed).
                self.fail(("input", key), "Zarr output cannot have a buffer")

    def _arrays(self, output: Json, identifiers: Sequence[str], tile: int | None) -> None:
        before = len(self.violations)
        if "arrayParameters" in output:
            common = self.child(output, "arrayParameters", ("output",))
            if common is not None:
                for key, value in copy.deepcopy(DEFAULTS).items():
                    common.setdefault(key, value)
                self._array(common, ("output", "arrayParameters"), tile)
        if "arrayOverrides" in output:
            overrides = self.child(output, "arrayOverrides", ("output",)) or {}
            for identifier in overrides:
                self._override(overrides, identifier, identifiers, tile)
        if len(self.violations) > before:
            return
        arrays = {identifier: merged(output, identifier) for identifier in identifiers}
        for key in REQUIRED:
            if not all(key in values for values in arrays.values()):
                message = "must be given, here or in arrayOverrides for every output"
                self.fail(("output", "arrayParameters", key), message)
        for identifier, values in arrays.items():
            dtype = values.get("dtype")
            if dtype and not _representable(values.get("fill_value", 0), dtype):
                place = _origin(output, identifier)
                self.fail((*place, "fill_value"), f"is not a value of dtype {dtype}")

    def _override(
        self, overrides: Json, identifier: str, identifiers: Sequence[str], tile: int | None
    ) -> None:
        at = ("output", "arrayOverrides", identifier)
        if identifier not in identifiers:
            self.fail(at, "is not an output of the request")  # assumed
        own = self.child(overrides, identifier, at[:-1])
        if own is not None:
            if "customAttributes" in own:
                self.child(own, "customAttributes", at)
            self._array(own, at, tile)

    def _array(self, values: Json, at: tuple[str, ...], tile: int | None) -> None:
        """Look at the parameters given in one place; what they must fit may be in another."""
        self.choice(values, "dtype", at, tuple(SAMPLE_TYPES))
        self.choice(values, "order", at, ("C",))
        if "chunks" in values:
            self._chunks(values["chunks"], (*at, "chunks"), tile)
        fill = values.get("fill_value", 0)
        if not is_number(fill) and fill not in NOT_A_NUMBER:
            self.fail((*at, "fill_value"), f"must be a number or one of {', '.join(NOT_A_NUMBER)}")
        if "compressor" in values:
            compressor = self.child(values, "compressor", at)
            if compressor is not None:
                self._compressor(compressor, (*at, "compressor"))

    def _chunks(self, chunks: object, at: tuple[str, ...], tile: int | None) -> None:
        if not (isinstance(chunks, list) and len(chunks) == 3 and all(is_whole(n) and n > 0 for n in chunks)):
            self.fail(at, "must be three whole numbers: 1, rows, columns")
        elif chunks[0] != 1:
            self.fail(at, "the first must be 1")
        elif tile is not None and (tile % chunks[1] or tile % chunks[2]):
            self.fail(at, f"must evenly divide the tile, which has {tile} x {tile} pixels")
        elif tile is not None and tile // chunks[1] * (tile // chunks[2]) > MAX_CHUNKS:
            self.fail(at, f"the sandbox writes at most {MAX_CHUNKS} chunks of a tile")

    def _compressor(self, compressor: Json, at: tuple[str, ...]) -> None:
        self.choice({"id": None, **compressor}, "id", at, tuple(_COMPRESSORS))
        known = _COMPRESSORS.get(str(compressor.get("id")), {})
        for key, value in compressor.items():
            if key == "id" or not known:
                continue
            if key not in known:
                self.fail((*at, key), f"is not a parameter of {compressor['id']}; it has {', '.join(known)}")
            elif type(value) is not type(known[key][0]) or value not in known[key]:
                self.fail((*at, key), "is not a value it can have")


def _tile_size(grid: Json) -> int | None:
    """Return the pixels along a tile, if the grid is a sound one."""
    number, resolution = grid.get("id"), grid.get("resolution")
    known = GRIDS.get(int(number)) if is_whole(number) else None
    if known is None or not is_number(resolution) or resolution not in known.resolutions:
        return None
    return round(known.tile_width / resolution)


def _origin(output: Json, identifier: str) -> tuple[str, ...]:
    """Return where the fill value of an array was given."""
    if "fill_value" in output.get("arrayOverrides", {}).get(identifier, {}):
        return ("output", "arrayOverrides", identifier)
    return ("output", "arrayParameters")


def _representable(value: float | str, dtype: str) -> bool:
    if isinstance(value, str):
        return dtype[1] == "f"
    if dtype[1] == "f":
        return bool(abs(value) <= np.finfo(dtype[1:]).max)
    return is_whole(value) and np.iinfo(dtype[1:]).min <= value <= np.iinfo(dtype[1:]).max
