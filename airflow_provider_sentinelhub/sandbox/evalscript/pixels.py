"""A run of an evalscript over the pixels of one tile."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.evalscript.check import length_warnings, start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.evalscript.engine import Evalscript
    from airflow_provider_sentinelhub.sandbox.evalscript.sources import Stack

DTYPES = {
    "INT8": "int8",
    "UINT8": "uint8",
    "INT16": "int16",
    "UINT16": "uint16",
    "FLOAT32": "float32",
    "AUTO": "uint8",
}
_BATCH_BYTES = 4 << 20
_BATCH_PIXELS = 16_384  # with the time limit of a call, 10 s: 600 µs for each pixel
_PROBES = 128
_HASH = np.uint64(0x9E3779B97F4A7C15)


class StatefulScriptError(Exception):
    """The script's answer for a pixel depends on other pixels: run it again over every single one."""


class Run:
    """Evaluate pixels of one tile, after ``preProcessScenes`` and ``updateOutput`` have had their say.

    ``evaluatePixel`` is a mapping from samples to values (documented), so pixels with equal samples are
    evaluated once. A script that is no such mapping (it draws random numbers, counts pixels, fills
    ``userData``) is noticed, by evaluating some pixels twice, and raises `StatefulScriptError`: then start
    over with a new `Evalscript` and ``distinct=False``, which evaluates each pixel, row by row.

    :ivar kept: for each stack the indices of the scenes left by ``preProcessScenes``, in the order the script
        sees them
    :ivar outputs: declared ids of the requested outputs and their numbers of bands
    """

    def __init__(
        self,
        evalscript: Evalscript,
        stacks: Sequence[Stack],
        *,
        requested: Sequence[str],
        distinct: bool = True,
    ) -> None:
        setup = evalscript.setup
        self._script = evalscript.script
        started = start(self._script, setup, stacks, requested)
        self.kept: tuple[tuple[int, ...], ...] = tuple(map(tuple, started["kept"]))
        self.outputs: dict[str, int] = {output["id"]: output["bands"] for output in started["outputs"]}
        self._started = started
        self._types = {output.id: output.sample_type for output in setup.outputs}
        self._bands = [stack.source.bands for stack in stacks]
        self._scales = np.array(
            [
                stack.scales.get(band, 1.0)
                for stack, depth in zip(stacks, started["depths"], strict=True)
                for _ in range(depth)
                for band in stack.source.bands
            ]
        )
        # What updateOutputMetadata reports may be gathered pixel by pixel (a documented use).
        self._distinct = distinct and not started["reports"]

    def pixels(
        self, samples: Sequence[Sequence[Mapping[str, NDArray[Any]]]], shape: tuple[int, int]
    ) -> dict[str, NDArray[Any]]:
        """Evaluate a block of pixels.

        :param samples: for each stack, for each kept scene (SIMPLE: one, but none in data fusion if the stack
            is empty) the source values of each band, rows x columns; the stack's ``scales`` turn them into
            the unit that the script asked for
        :param shape: rows and columns of the block
        :return: for each requested output bands x rows x columns, in the type of its sampleType
        """
        columns = [
            np.ravel(sample[band])
            for bands, stack in zip(self._bands, samples, strict=True)
            for sample in stack
            for band in bands
        ]
        count = shape[0] * shape[1]
        if self._distinct:
            representatives, inverse = _distinct_pixels(columns, count)
            values = self._evaluate(columns, representatives)
            self._probe(columns, representatives, values)
        else:
            values, inverse = self._evaluate(columns, np.arange(count)), None
        blocks: dict[str, NDArray[Any]] = {}
        offset = 0
        for identifier, bands in self.outputs.items():
            table = quantize(values[:, offset : offset + bands], self._types[identifier])
            block = np.empty((bands, count), table.dtype)
            for band in range(bands):
                column = np.ascontiguousarray(table[:, band])
                block[band] = column if inverse is None else column[inverse]
            blocks[identifier] = block.reshape(bands, *shape)
            offset += bands
        return blocks

    def finish(self) -> tuple[str, list[str]]:
        """Run ``updateOutputMetadata``; return the JSON of ``userData`` and the warnings of the run."""
        user_data = self._script.call("finish")
        return user_data, length_warnings(self._report()["odd"], self._started["outputs"])

    def _report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self._script.call("report"))
        return report

    def _evaluate(self, columns: Sequence[NDArray[Any]], chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        width = sum(self.outputs.values())
        answers = np.empty((len(chosen), width))
        step = max(1, min(_BATCH_PIXELS, _BATCH_BYTES // (8 * max(1, len(columns)))))
        for first in range(0, len(chosen), step):
            picked = chosen[first : first + step]
            rows = np.empty((len(picked), len(columns)))
            for i, column in enumerate(columns):
                np.multiply(column[picked], self._scales[i], out=rows[:, i])
            encoded = b64encode(rows.tobytes()).decode("ascii")
            answer = b64decode(self._script.call("pixels", len(picked), encoded))
            answers[first : first + step] = np.frombuffer(answer).reshape(len(picked), width)
        return answers

    def _probe(
        self, columns: Sequence[NDArray[Any]], chosen: NDArray[np.intp], values: NDArray[np.float64]
    ) -> None:
        probes = np.unique(np.linspace(0, len(chosen) - 1, _PROBES).astype(np.intp))
        again = self._evaluate(columns, chosen[probes])
        if self._report()["wroteUserData"] or not np.array_equal(again, values[probes], equal_nan=True):
            raise StatefulScriptError


def quantize(values: NDArray[np.float64], sample_type: str) -> NDArray[Any]:
    """Turn what a script returned into the values of a raster.

    Integers are rounded, halves up, and clamped to the type's range; AUTO stretches 0..1 to 0..255
    (documented). NaN becomes 0 in integer types (assumed).
    """
    dtype = DTYPES[sample_type]
    if sample_type == "FLOAT32":
        with np.errstate(over="ignore"):
            return values.astype(np.float32)
    scaled = values * 255 if sample_type == "AUTO" else values
    limits = np.iinfo(dtype)
    rounded = np.floor(np.nan_to_num(scaled, nan=0.0, posinf=limits.max, neginf=limits.min) + 0.5)
    return np.clip(rounded, limits.min, limits.max).astype(dtype)


def _distinct_pixels(
    columns: Sequence[NDArray[Any]], count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find one pixel for each distinct set of values, and for each pixel which of those it equals.

    Compares 64-bit hashes: among a million different pixels two of equal hash have odds of one in 10^7.
    """
    hashes = np.zeros(count, np.uint64)
    for column in columns:
        if column.size and (column == column[0]).all():
            continue  # the same everywhere: tells no pixels apart
        bits = column.view(f"u{column.dtype.itemsize}")
        hashes *= _HASH
        hashes += bits
    order = np.argsort(hashes)
    ordered = hashes[order]
    first = np.empty(count, bool)
    first[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    inverse = np.empty(count, np.intp)
    inverse[order] = np.cumsum(first) - 1
    return order[first], inverse
