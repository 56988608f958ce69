"""The outputs of ``setup()`` against what the request wants of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.evalscript.faults import (
    ScriptFault,
    choice,
    either,
    place_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_sentinelhub.client.evalscript.setup import Output, Setup

USERDATA = "userdata"
TIFF, JSON, ZARR = "image/tiff", "application/json", "zarr/array"

# What pictures can hold: sample types and numbers of bands.
_PICTURES = {
    "image/png": (("AUTO", "UINT8", "UINT16"), (1, 2, 3, 4)),
    "image/jpeg": (("AUTO", "UINT8"), (1, 3)),
}
# For each dtype of a Zarr array the sample types that it may hold (documented).
_DTYPES = {
    "u1": ("UINT8", "AUTO"),
    "i1": ("INT8",),
    "u2": ("UINT16", "UINT8", "AUTO"),
    "i2": ("INT16", "UINT8", "INT8", "AUTO"),
}


def output_faults(
    script: str,
    setup: Setup,
    responses: Mapping[str, str],
    *,
    zarr: bool,
    cog: bool,
    dtypes: Mapping[str, str],
) -> Iterator[ScriptFault]:
    """Name each response that the declared outputs cannot give."""
    declared = {output.id: output for output in setup.outputs}
    for name, mime in responses.items():
        output = declared.get(name)
        if name == USERDATA and output is None:
            if mime != JSON:
                yield ScriptFault("outputs", f"{USERDATA} cannot be {mime}", f"Ask for it as {JSON}")
        elif output is None:
            problem = f"Output {name} requested but missing from function setup()"
            remedy = f"{choice(name, [*declared])}, or declare it there" if declared else "Declare it there"
            yield ScriptFault("outputs", problem, remedy)
        elif zarr:
            yield from _array_faults(script, output, dtypes.get(name))
        else:
            yield from _file_faults(script, output, mime, cog=cog)


def _file_faults(script: str, output: Output, mime: str, *, cog: bool) -> Iterator[ScriptFault]:
    place = place_of(script, output.sample_type)
    if mime == JSON:
        yield ScriptFault("outputs", f"{output.id} cannot be {JSON}", f"Only {USERDATA} can: ask for {TIFF}")
    elif mime in _PICTURES:
        types, counts = _PICTURES[mime]
        if output.sample_type not in types:
            problem = f"{output.id} has sampleType {output.sample_type}, which {mime} cannot hold"
            yield ScriptFault("outputs", problem, f"Declare {either(types)}, or ask for {TIFF}", *place)
        if output.bands not in counts:
            problem = f"{output.id} has {output.bands} bands, which {mime} cannot hold"
            yield ScriptFault("outputs", problem, f"Declare {either(counts)} bands, or ask for {TIFF}")
    if cog and output.sample_type == "INT8":
        remedy = "Declare INT16, or leave cog out"
        yield ScriptFault("cog", f"{output.id} has sampleType INT8, which a COG cannot hold", remedy, *place)
    elif cog and mime in _PICTURES:
        yield ScriptFault("cog", f"{output.id} is {mime}", f"Ask for {TIFF}, or leave cog out")


def _array_faults(script: str, output: Output, dtype: str | None) -> Iterator[ScriptFault]:
    if output.bands > 1:
        problem = f"{output.id} has {output.bands} bands, and a Zarr array takes one"
        yield ScriptFault("outputs", problem, "Declare an output for each band")
    able = _DTYPES.get((dtype or "f4")[1:])
    if able and output.sample_type not in able:
        problem = f"{output.id} has sampleType {output.sample_type}, which dtype {dtype} cannot hold"
        fitting = [name for name, types in _DTYPES.items() if output.sample_type in types]
        wider = either([f"{'|' if name.endswith('1') else '<'}{name}" for name in [*fitting, "f4"]])
        remedy = f"Choose dtype {wider}, or declare {either(able)}"
        yield ScriptFault("zarr", problem, remedy, *place_of(script, output.sample_type))


def output_warnings(setup: Setup, responses: Mapping[str, str]) -> Iterator[str]:
    """Name outputs that nobody asked for."""
    for output in setup.outputs:
        if output.id not in responses:
            yield f"output {output.id} is declared but not requested, so it is not delivered"
