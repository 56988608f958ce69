"""Checks of an evalscript against its request: what the service finds out at analysis, found out before."""

from __future__ import annotations

import json
from array import array
from base64 import b64encode
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox.evalscript.script import Script
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


def check(
    evalscript: Evalscript, collections: Sequence[str], responses: Sequence[tuple[str, str]], *, cog: bool
) -> list[str]:
    """See `Evalscript.check`."""
    setup = evalscript.setup
    if len(collections) > 1 or len({spec.datasource for spec in setup.inputs}) > 1:
        _check_fusion(setup, collections)
        return ["Data fusion is not checked further: its functions were not run."]
    units = setup.units(collections[0]) if collections else {}
    _check_responses(setup, responses, cog=cog)
    warnings: dict[str, None] = {}  # an ordered set
    requested = [identifier for identifier, _ in responses]
    for depth in (3, 1, 0):
        try:
            found = _try_out(evalscript, units, requested, depth)
        except EvalscriptError as error:
            if depth or setup.mosaicking == "SIMPLE":
                raise
            # The classic: it fails only where a pixel has no scene, after most of the area was paid for.
            message = f"{error}\nThis pixel has no scene at all: its samples are an empty array."
            raise EvalscriptError(message) from None
        warnings.update(dict.fromkeys(found))
    return list(warnings)


def _check_fusion(setup: Setup, collections: Sequence[str]) -> None:
    if len(setup.inputs) < len(collections):
        raise EvalscriptError("Invalid script! Every collection of the request needs an input in setup().")


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
        if mime == "zarr/array" and output.bands > 1:
            raise EvalscriptError(f"Output {identifier} has {output.bands} bands; a Zarr array takes one.")


def _try_out(evalscript: Evalscript, units: dict[str, str], requested: list[str], depth: int) -> list[str]:
    """Run the script's functions on two pixels of ``depth`` scenes: one with data, one without."""
    setup = evalscript.setup
    simple = setup.mosaicking == "SIMPLE"
    if simple and depth > 1:
        return []
    # A fresh context: what these pixels leave in the script's variables is nobody's business.
    script = Script(evalscript.source, memory_limit=evalscript.memory_limit, time_limit=evalscript.time_limit)
    json.loads(script.call("setup"))
    last = datetime(2020, 7, 29, 18, 40, tzinfo=timezone.utc)
    scenes = [_scene(last - timedelta(days=5 * i)) for i in range(0 if simple else depth)]
    started = start(script, setup, scenes, requested, (last - timedelta(days=28), last))
    typical = [_TYPICAL_DN.get(band, _TYPICAL.get(units.get(band, "DN"), 1500.0)) for band, _ in setup.bands]
    empty = [0.0] * len(typical)
    count = 1 if simple else len(started["kept"])
    pixels = [typical * count, empty * count]
    if count > 1:
        pixels.append(typical + empty * (count - 1))
    values = array("d", [value for pixel in pixels for value in pixel])
    script.call("pixels", len(pixels), b64encode(values.tobytes()).decode("ascii"))
    script.call("finish")
    return length_warnings(json.loads(script.call("report"))["odd"], started["outputs"])


def _scene(date: datetime) -> SceneInfo:
    path = f"s3://sentinel-s2-l1c/tiles/11/S/KA/{date.year}/{date.month}/{date.day}/0"
    return SceneInfo(date, (TileInfo(date, 15161628, 2.09, path),))


def start(
    script: Script,
    setup: Setup,
    scenes: Sequence[SceneInfo],
    requested: Sequence[str],
    time_range: tuple[datetime, datetime],
) -> dict[str, Any]:
    """Hand the scenes to the script: runs ``preProcessScenes`` and ``updateOutput``.

    Returns ``kept`` (indices of the scenes left), ``outputs`` (id and bands of the requested ones) and
    ``reports`` (whether there is an ``updateOutputMetadata``).
    """
    names = [band for band, _ in setup.bands]
    fields = ",".join(f"{json.dumps(name)}:v[k+{i}]" for i, name in enumerate(names))
    details = {
        "mosaicking": setup.mosaicking,
        "bands": names,
        "from": iso(time_range[0]),
        "to": iso(time_range[1]),
        "scenes": [scene.to_json(bounds=setup.wants_bounds) for scene in scenes],
        "outputs": [{"id": output.id, "bands": output.bands} for output in setup.outputs],
        "requested": list(requested),
        "inputMetadata": {"serviceVersion": SERVICE_VERSION, "normalizationFactor": NORMALIZATION_FACTOR},
    }
    # An object literal made for these bands is the fastest way the engine has to build a sample.
    maker = script.eval(f"(function (v, k) {{ return {{{fields}}}; }})")
    started: dict[str, Any] = json.loads(script.call("start", json.dumps(details), maker))
    return started


def length_warnings(odd: dict[str, dict[str, int]], outputs: Sequence[dict[str, Any]]) -> list[str]:
    """Say which arrays were not as long as declared. They are cut or filled up with zeros (assumed)."""
    bands = {output["id"]: output["bands"] for output in outputs}
    return [
        f"evaluatePixel returned {'/'.join(sorted(lengths, key=int))} values for output {identifier}, "
        f"which has {bands[identifier]} bands: longer arrays are cut, shorter ones filled up with zeros."
        for identifier, lengths in odd.items()
    ]
