"""Checks of an evalscript against its request: what the service finds out at analysis, found out before."""

from __future__ import annotations

import json
from array import array
from base64 import b64encode
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox.evalscript.script import Script
from airflow_provider_sentinelhub.sandbox.evalscript.sources import Source, Stack, sources
from airflow_provider_sentinelhub.sandbox.evalscript.spec import EvalscriptError, SceneInfo, TileInfo, iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sentinelhub.sandbox.evalscript.engine import Evalscript
    from airflow_provider_sentinelhub.sandbox.evalscript.spec import Setup

USERDATA = "userdata"
NORMALIZATION_FACTOR = 0.0001
SERVICE_VERSION = "5.0.0-sandbox"

# A reading for each unit that no sane script chokes on.
_TYPICAL = {"REFLECTANCE": 0.2, "DEGREES": 45.0, "PERCENT": 5.0, "OPTICAL_DEPTH": 0.1, "LINEAR_POWER": 0.05}
_TYPICAL_DN = {"dataMask": 1.0, "SCL": 4.0, "CLM": 0.0, "CLP": 10.0}

# What pictures can hold: sample types and numbers of bands.
_PICTURES = {
    "image/png": (("AUTO", "UINT8", "UINT16"), (1, 2, 3, 4)),
    "image/jpeg": (("AUTO", "UINT8"), (1, 3)),
}


def check(
    evalscript: Evalscript,
    collections: Sequence[str],
    responses: Sequence[tuple[str, str]],
    *,
    ids: Sequence[str | None],
    cog: bool,
) -> list[str]:
    """See `Evalscript.check`."""
    wanted = sources(evalscript.setup, collections, ids)
    _check_responses(evalscript.setup, responses, cog=cog)
    warnings: dict[str, None] = {}  # an ordered set
    requested = [identifier for identifier, _ in responses]
    simple = all(source.mosaicking == "SIMPLE" for source in wanted)
    for depth in (1,) if simple else (3, 1, 0):
        try:
            found = _try_out(evalscript, wanted, requested, depth)
        except EvalscriptError as error:
            if depth:
                raise
            # The classic: it fails only where a pixel has no scene, after most of the area was paid for.
            message = f"{error}\nThis pixel has no scene at all: its samples are an empty array."
            raise EvalscriptError(message) from None
        warnings.update(dict.fromkeys(found))
    return list(warnings)


def _check_responses(setup: Setup, responses: Sequence[tuple[str, str]], *, cog: bool) -> None:
    identifiers = [identifier for identifier, _ in responses]
    for identifier, mime in responses:
        if identifiers.count(identifier) > 1:
            raise EvalscriptError(f"Response identifier '{identifier}' is not unique.")
        if identifier == USERDATA:
            if mime != "application/json":
                raise EvalscriptError(f"Output {USERDATA} can only be application/json, not {mime}.")
            continue
        output = setup.output(identifier)
        if mime == "application/json":
            raise EvalscriptError(f"Output {identifier} cannot be delivered as application/json.")
        if cog and output.sample_type == "INT8":
            raise EvalscriptError(f"Output {identifier} is INT8, which cogOutput does not support.")
        check_format(identifier, mime, output.sample_type, output.bands)
        if mime == "zarr/array" and output.bands > 1:
            raise EvalscriptError(f"Output {identifier} has {output.bands} bands; a Zarr array takes one.")


def check_format(identifier: str, mime: str, sample_type: str, bands: int) -> None:
    """Refuse an output that its file format cannot hold: PNG and JPEG take grey or colour, PNG with alpha."""
    if mime not in _PICTURES:
        return
    sample_types, counts = _PICTURES[mime]
    if sample_type not in sample_types or bands not in counts:
        # The limits are documented in part, the wording is assumed.
        message = f"Output {identifier} with {bands} bands of sampleType {sample_type} cannot be {mime}."
        raise EvalscriptError(message)


def _try_out(evalscript: Evalscript, wanted: Sequence[Source], requested: list[str], depth: int) -> list[str]:
    """Run the script's functions on two pixels of ``depth`` scenes: one with data, one without."""
    # A fresh context: what these pixels leave in the script's variables is nobody's business.
    script = Script(evalscript.source, memory_limit=evalscript.memory_limit, time_limit=evalscript.time_limit)
    json.loads(script.call("setup"))
    last = datetime(2020, 7, 29, 18, 40, tzinfo=timezone.utc)
    scenes = [_scene(last - timedelta(days=5 * i)) for i in range(depth)]
    period = (last - timedelta(days=28), last)
    stacks = [Stack(one, () if one.mosaicking == "SIMPLE" else scenes, period) for one in wanted]
    started = start(script, evalscript.setup, stacks, requested)
    typical: list[float] = []
    empty: list[float] = []
    mixed: list[float] = []
    for source, count in zip(wanted, started["depths"], strict=True):
        reading = [_TYPICAL_DN.get(band, _TYPICAL.get(unit, 1500.0)) for band, unit in source.units.items()]
        nothing = [0.0] * len(reading)
        typical += reading * count
        empty += nothing * count
        mixed += reading + nothing * (count - 1) if count else []
    pixels = [typical, empty]
    if max(started["depths"], default=0) > 1:
        pixels.append(mixed)
    values = array("d", [value for pixel in pixels for value in pixel])
    script.call("pixels", len(pixels), b64encode(values.tobytes()).decode("ascii"))
    script.call("finish")
    return length_warnings(json.loads(script.call("report"))["odd"], started["outputs"])


def _scene(date: datetime) -> SceneInfo:
    path = f"s3://sentinel-s2-l1c/tiles/11/S/KA/{date.year}/{date.month}/{date.day}/0"
    return SceneInfo(date, (TileInfo(date, 15161628, 2.09, path),))


def start(script: Script, setup: Setup, stacks: Sequence[Stack], requested: Sequence[str]) -> dict[str, Any]:
    """Hand the scenes to the script: runs ``preProcessScenes`` and ``updateOutput``.

    Returns ``kept`` (for each stack the indices of the scenes left), ``depths`` (for each stack the samples
    of a pixel), ``outputs`` (id and bands of the requested ones) and ``reports`` (whether there is an
    ``updateOutputMetadata``).
    """
    details = {
        "sources": [
            {
                "key": stack.source.key,
                "mosaicking": stack.source.mosaicking,
                "bands": len(stack.source.bands),
                "from": iso(stack.time_range[0]),
                "to": iso(stack.time_range[1]),
                "scenes": [scene.to_json(bounds=setup.wants_bounds) for scene in stack.scenes],
                "empty": stack.empty,
            }
            for stack in stacks
        ],
        "outputs": [{"id": output.id, "bands": output.bands} for output in setup.outputs],
        "requested": list(requested),
        "inputMetadata": {"serviceVersion": SERVICE_VERSION, "normalizationFactor": NORMALIZATION_FACTOR},
    }
    makers = script.eval(f"[{', '.join(_maker(stack.source.bands) for stack in stacks)}]")
    started: dict[str, Any] = json.loads(script.call("start", json.dumps(details), makers))
    return started


def _maker(bands: Sequence[str]) -> str:
    """Return JavaScript that makes a sample: a literal made for these bands is fastest."""
    fields = ",".join(f"{json.dumps(name)}:v[k+{i}]" for i, name in enumerate(bands))
    return f"function (v, k) {{ return {{{fields}}}; }}"


def length_warnings(odd: dict[str, dict[str, int]], outputs: Sequence[dict[str, Any]]) -> list[str]:
    """Say which arrays were not as long as declared. They are cut or filled up with zeros (assumed)."""
    bands = {output["id"]: output["bands"] for output in outputs}
    return [
        f"evaluatePixel returned {'/'.join(sorted(lengths, key=int))} values for output {identifier}, "
        f"which has {bands[identifier]} bands: longer arrays are cut, shorter ones filled up with zeros."
        for identifier, lengths in odd.items()
    ]
