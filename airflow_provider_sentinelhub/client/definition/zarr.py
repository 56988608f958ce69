"""Zarr output: one group, and in it an array for each output."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.definition.rules import (
    Choice,
    Listed,
    Number,
    Rule,
    Settings,
    choices,
    json_object,
    kind_of,
    shown,
)
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_sentinelhub.client.models import TilingGrid

FORMAT = "zarr/array"
# Grids whose tiles are in several CRSs (documented); the others can be one array.
_SEVERAL_CRS = (0, 1, 2)
_SINGLE_CRS = "3 (1 degree), 6 (LAEA 100 km) or 7 (LAEA 20 km)"
_DTYPES = ("|u1", "|i1", "<u2", ">u2", "<i2", ">i2", "<f4", ">f4", "<f8", ">f8")
_NUMPY = {
    "uint8": "|u1",
    "int8": "|i1",
    "uint16": "<u2",
    "int16": "<i2",
    "float32": "<f4",
    "float64": "<f8",
}
_NO_NUMBERS = {"nan": "NaN", "inf": "Infinity", "infinity": "Infinity"}
_NEEDED = ("dtype", "chunks", "fill_value")


def _dtype(value: Any, path: str, faults: list[Fault]) -> Any:
    dtype = _NUMPY.get(value, value) if isinstance(value, str) else value
    if dtype not in _DTYPES:
        remedy = f"Choose one of {', '.join((*_NUMPY, *_DTYPES))}"
        faults.append(Fault(path, f"{shown(value)} is not known", remedy))
    return dtype


def _chunks(value: Any, path: str, faults: list[Fault]) -> Any:
    chunks = Listed(Number(1, whole=True), length=3)(value, path, faults)
    if isinstance(chunks, list) and chunks and chunks[0] != 1:
        faults.append(Fault(path, f"begins with {chunks[0]!r}, and time is chunked by 1", "Give [1, y, x]"))
    return chunks


def _fill_value(value: Any, path: str, faults: list[Fault]) -> Any:
    """JSON has no NaN: the service takes its name."""
    if isinstance(value, float) and not math.isfinite(value):
        value = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str):
        sign, word = ("-", value[1:]) if value.startswith("-") else ("", value)
        if word.lower() in _NO_NUMBERS:
            return sign.replace("-", "" if word.lower() == "nan" else "-") + _NO_NUMBERS[word.lower()]
    return Number()(value, path, faults)


_ARRAY: dict[str, Rule] = {
    "dtype": _dtype,
    "order": Choice(("C",)),
    "chunks": _chunks,
    "fill_value": _fill_value,
    "compressor": json_object,
}
_GROUP: dict[str, Rule] = {
    "zarr_format": Number(2, 2, whole=True),
    "coordinates": Settings("coordinates", {"origin": Choice(("topLeft", "bottomLeft"))}),
    "customAttributes": json_object,
}


@dataclass(frozen=True, kw_only=True)
class Zarr:
    """The settings of a Zarr, under the service's names.

    ``group``: ``coordinates`` (``{"origin": "bottomLeft"}``) and ``customAttributes``. ``array_parameters``
    hold for all arrays: ``dtype`` (``"uint16"`` or ``"<u2"``), ``chunks`` ``[1, y, x]`` that divide a tile's
    pixels, ``fill_value``, and ``compressor``. ``array_overrides`` says for single outputs what differs, and
    their ``customAttributes``.
    """

    group: Mapping[str, Any] = field(default_factory=dict)
    array_parameters: Mapping[str, Any] | None = None
    array_overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_wire(self, outputs: Sequence[str], faults: list[Fault]) -> dict[str, Any]:
        """Return the API's ``output`` but for the delivery."""
        group = Settings("a Zarr group", _GROUP)(self.group, "zarr.group", faults)
        wire: dict[str, Any] = {"type": "zarr", "group": {"zarr_format": 2, **group}}
        shared: dict[str, Any] = {}
        if self.array_parameters:
            path = "zarr.array_parameters"
            shared = Settings("an array", _ARRAY, _NEEDED)(self.array_parameters, path, faults)
            wire["arrayParameters"] = {"order": "C", **shared}
        overrides: Any = self.array_overrides
        if not isinstance(overrides, Mapping):
            overrides = {}
            remedy = "Give a dict of outputs to what differs in their arrays"
            faults.append(
                Fault("zarr.array_overrides", f"is {kind_of(self.array_overrides)}, not a dict", remedy)
            )
        rule = Settings("an array", {**_ARRAY, "customAttributes": json_object})
        settled = {}
        for name, override in overrides.items():
            path = f"zarr.array_overrides.{name}"
            if name not in outputs:
                faults.append(Fault(path, f"there is no output {name!r}", choices(name, outputs)))
            settled[name] = rule(override, path, faults)
        if settled:
            wire["arrayOverrides"] = settled
        for name in outputs:
            array = {**shared, **settled.get(name, {})}
            faults.extend(self._array_faults(name, array, overridden=name in settled))
        return wire

    def _array_faults(self, name: str, array: Mapping[str, Any], *, overridden: bool) -> Iterator[Fault]:
        path = f"zarr.array_overrides.{name}" if overridden else "zarr.array_parameters"
        missing = [] if self.array_parameters else [key for key in _NEEDED if key not in array]
        if missing:
            remedy = "Give them in array_parameters for all outputs, such as " + (
                "{'dtype': '<u2', 'chunks': [1, 1000, 1000], 'fill_value': 0}"
            )
            yield Fault(path, f"the array of {name} lacks {', '.join(missing)}", remedy)
            return
        dtype, fill = str(array.get("dtype")), array.get("fill_value")
        if dtype[1:2] in ("u", "i") and dtype in _DTYPES:
            bits = 8 * int(dtype[2:])
            low, high = (0, 2**bits - 1) if dtype[1] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
            fits = isinstance(fill, int | float) and float(fill).is_integer() and low <= fill <= high
            if not fits:
                problem = f"{fill!r} is no value of {dtype}, the dtype of {name}"
                yield Fault(f"{path}.fill_value", problem, f"Give a whole number from {low} to {high}")


def grid_faults(grid: Mapping[str, Any]) -> Iterator[Fault]:
    """Name what keeps an ``input`` from being one array."""
    if grid.get("type") == "geopackage":
        problem = "a Zarr is made on a tiling grid, not of a GeoPackage's features"
        yield Fault("zarr", problem, f"Use tiling_grid_id {_SINGLE_CRS}, or raster output")
    elif grid.get("id") in _SEVERAL_CRS:
        problem = f"grid {grid['id']} has tiles in several CRSs, and a Zarr has one"
        yield Fault("tiling_grid_id", problem, f"Choose {_SINGLE_CRS}, or raster output")


def chunk_faults(
    wire: Mapping[str, Any], grid: Mapping[str, Any], grids: Sequence[TilingGrid]
) -> Iterator[Fault]:
    """Hold the chunks of an ``output`` against the pixels of a tile of the grid that the service offers."""
    offered = next((g for g in grids if g.id == grid.get("id")), None)
    resolution = grid.get("resolution")
    if offered is None or not offered.tile_width or not offered.tile_height or not resolution:
        return
    # A buffer widens a tile on both sides.
    width = round(offered.tile_width / resolution) + 2 * grid.get("bufferX", 0)
    height = round(offered.tile_height / resolution) + 2 * grid.get("bufferY", 0)
    arrays = {"zarr.array_parameters": wire.get("arrayParameters", {})}
    arrays |= {f"zarr.array_overrides.{name}": one for name, one in wire.get("arrayOverrides", {}).items()}
    for path, array in arrays.items():
        chunks = array.get("chunks")
        if chunks and (height % chunks[1] or width % chunks[2]):
            yield Fault(
                f"{path}.chunks",
                f"{chunks} does not divide a tile of {height} rows and {width} columns",
                f"Give divisors of them, such as [1, {_divisor(height)}, {_divisor(width)}]",
            )


def _divisor(pixels: int) -> int:
    """Return the largest divisor of a usual size of chunks."""
    return next(size for size in range(min(1000, pixels), 0, -1) if pixels % size == 0)
