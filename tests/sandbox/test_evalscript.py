"""Evalscripts: what they declare, and how they are refused."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from sandbox.evalscripts import NDVI, TIME_SERIES, script

from airflow_provider_sentinelhub.sandbox.evalscript import (
    Evalscript,
    EvalscriptError,
    InputSpec,
    OutputSpec,
)
from airflow_provider_sentinelhub.sandbox.evalscript.script import Script

TIFF = "image/tiff"
L2A = ["sentinel-2-l2a"]


def test_setup_in_its_short_form() -> None:
    setup = Evalscript(NDVI).setup
    assert setup.inputs == (InputSpec(None, ("B04", "B08"), (None, None)),)
    assert setup.outputs == (OutputSpec("default", 1, "FLOAT32", None),)
    assert setup.mosaicking == "SIMPLE"
    assert setup.units("sentinel-2-l2a") == {"B04": "REFLECTANCE", "B08": "REFLECTANCE"}


def test_setup_in_its_long_form() -> None:
    setup = Evalscript("""
      //VERSION=3
      const setup = () => ({
        input: [{
          datasource: "S2", metadata: ["bounds"],
          bands: ["B02", "B08", "SCL"], units: ["reflectance", "DN", "DN"],
        }],
        output: [
          {id: "a", bands: 2, nodataValue: NaN, sampleType: SampleType.FLOAT32},
          {id: "b", bands: 3, nodataValue: -1},
        ],
        mosaicking: Mosaicking.TILE,
      });
      let evaluatePixel = samples => ({a: [1, 2], b: [1, 2, 3]});
    """).setup
    assert setup.inputs == (InputSpec("S2", ("B02", "B08", "SCL"), ("REFLECTANCE", "DN", "DN")),)
    assert setup.outputs[1] == OutputSpec("b", 3, "AUTO", -1.0)
    assert setup.outputs[0].nodata is not None
    assert np.isnan(setup.outputs[0].nodata)
    assert setup.mosaicking == "TILE"
    assert setup.wants_bounds


def test_several_inputs_of_one_collection_are_one() -> None:
    two = '[{bands: ["B04"], units: "DN"}, {bands: ["SCL", "dataMask"]}]'
    setup = Evalscript(script("function evaluatePixel() { return [1]; }", bands=two)).setup
    assert setup.units("sentinel-2-l2a") == {"B04": "DN", "SCL": "DN", "dataMask": "DN"}


def test_an_unknown_mosaicking_constant_means_simple() -> None:
    # Seen in the wild: Mosaicking.TILES is undefined, and the service goes on as if it were not there.
    source = NDVI.replace("output:", "mosaicking: Mosaicking.TILES, output:")
    assert Evalscript(source).setup.mosaicking == "SIMPLE"


# --- failures, and their wording ---


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("  ", "Missing or empty evalscript."),
        ("return [B04]", "Only evalscripts V3 are supported: start the script with //VERSION=3."),
        (
            "//VERSION=3\nvar x = ;",
            "Failed to evaluate script!\nevalscript.js:2: SyntaxError: unexpected token in expression: ';'\n"
            "var x = ;\n        ^",
        ),
        ("//VERSION=3\n", "Failed to evaluate script!\nReferenceError: setup is not defined"),
        (
            "//VERSION=3\nfunction setup() { return {input: ['B04'], output: {bands: 1}}; }",
            "Failed to evaluate script!\nReferenceError: evaluatePixel is not defined",
        ),
        (
            "//VERSION=3\nfunction setup() {\n  return colour;\n}",
            "Failed to evaluate script!\nevalscript.js:3: ReferenceError: colour is not defined\n"
            "  return colour;\n         ^",
        ),
        ("//VERSION=3\nthrow 'no reason'", "Failed to evaluate script!\nno reason"),
    ],
)
def test_scripts_that_do_not_load(source: str, message: str) -> None:
    with pytest.raises(EvalscriptError) as failure:
        Evalscript(source)
    assert str(failure.value) == message


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("5", "function setup() must return an object."),
        ("{output: {bands: 1}}", "input must be an array of band names or of objects."),
        ("{input: ['B04', {}], output: {bands: 1}}", "input must be an array of band names or of objects."),
        ("{input: [{bands: 'B04'}], output: {bands: 1}}", "input.bands must be an array of band names."),
        (
            "{input: [{bands: ['B04'], units: ['DN', 'DN']}], output: {bands: 1}}",
            "input.units must be a string or an array with a string for each band.",
        ),
        ("{input: ['B04'], output: []}", "function setup() declares no output."),
        ("{input: ['B04'], output: {}}", "Output default needs a number of bands, not None."),
        ("{input: ['B04'], output: {bands: 1.5}}", "Output default needs a number of bands, not 1.5."),
        (
            "{input: ['B04'], output: {bands: 1, sampleType: 'UINT32'}}",
            "Unknown sampleType 'UINT32'. Supported: [INT8, UINT8, INT16, UINT16, FLOAT32, AUTO].",
        ),
        (
            "{input: ['B04'], output: {bands: 1}, mosaicking: 'DAY'}",
            "Unknown mosaicking 'DAY'. Supported: [SIMPLE, ORBIT, TILE].",
        ),
        (
            "{input: ['B04'], output: [{id: 'a', bands: 1}, {id: 'a', bands: 2}]}",
            "Output id 'a' is not unique.",
        ),
        (
            "{input: ['B04'], output: {bands: 1, nodataValue: 'x'}}",
            "nodataValue of output default must be a number.",
        ),
    ],
)
def test_setups_that_make_no_sense(returned: str, message: str) -> None:
    source = f"//VERSION=3\nfunction setup() {{ return {returned}; }}\nfunction evaluatePixel() {{}}"
    with pytest.raises(EvalscriptError) as failure:
        Evalscript(source)
    assert str(failure.value) == f"Invalid script! {message}"


def check(source: str, responses: list[tuple[str, str]] | None = None, **options: Any) -> list[str]:
    collections = options.pop("collections", L2A)
    return Evalscript(source).check(collections, responses or [("default", TIFF)], **options)


def refusal(source: str, responses: list[tuple[str, str]] | None = None, **options: Any) -> str:
    with pytest.raises(EvalscriptError) as failure:
        check(source, responses, **options)
    return str(failure.value)


def test_a_sound_script_passes() -> None:
    assert check(NDVI) == []
    assert check(NDVI, collections=["byoc-0190aabb"]) == []


def test_the_checks_speak_as_the_service_does() -> None:
    assert (
        refusal(NDVI, [("ndvi_index", TIFF)])
        == "Output ndvi_index requested but missing from function setup()"
    )
    b10 = NDVI.replace('"B04", "B08"', '"B10"')
    assert refusal(b10) == "Collection 'S2L2A' has no band 'B10'."
    assert check(b10, collections=["sentinel-2-l1c"]) == []
    clm = NDVI.replace('["B04", "B08"]', '[{bands: ["CLM"], units: "REFLECTANCE"}]')
    assert refusal(clm, collections=["sentinel-2-l1c"]) == (
        "Invalid script! Band 'CLM' of collection 'S2L1C' requested in unsupported units 'REFLECTANCE'! "
        "Supported units for this band: [DN]."
    )
    metres = NDVI.replace('["B04", "B08"]', '[{bands: ["B04"], units: "METERS"}]')
    assert refusal(metres).endswith("Supported units for this band: [REFLECTANCE, DN].")
    assert refusal(NDVI.replace("return [index", "return (index").replace("B04)];", "B04));")) == (
        "Script must return an array."
    )


def test_responses_are_compared_with_the_outputs() -> None:
    twice = [("default", TIFF), ("default", TIFF)]
    assert refusal(NDVI, twice) == "Response identifier 'default' is not unique."
    assert refusal(NDVI, [("default", "application/json")]) == (
        "Output default cannot be delivered as application/json."
    )
    assert (
        refusal(NDVI, [("userdata", TIFF)]) == "Output userdata can only be application/json, not image/tiff."
    )
    assert check(NDVI, [("default", TIFF), ("userdata", "application/json")]) == []
    int8 = NDVI.replace("FLOAT32", "INT8")
    assert check(int8) == []
    assert refusal(int8, cog=True) == "Output default is INT8, which cogOutput does not support."
    two_bands = NDVI.replace("bands: 1", "bands: 2")
    assert (
        refusal(two_bands, [("default", "zarr/array")])
        == "Output default has 2 bands; a Zarr array takes one."
    )


def test_a_reference_error_names_the_line() -> None:
    assert refusal(NDVI.replace("index(", "indx(")) == (
        "Failed to evaluate script!\nevalscript.js:6: ReferenceError: indx is not defined\n"
        "  return [indx(sample.B08, sample.B04)];\n          ^"
    )


def test_an_error_inside_a_helper_points_at_the_script() -> None:
    source = NDVI.replace("index(sample.B08, sample.B04)", "new ColorRampVisualizer(5)")
    assert "\nevalscript.js:6: TypeError" in refusal(source)


def test_a_pixel_without_scenes_is_tried_out() -> None:
    first = script("function evaluatePixel(samples) {\n  return [samples[0].B04];\n}")
    assert refusal(first) == (
        "Failed to evaluate script!\nevalscript.js:4: TypeError: cannot read property 'B04' of undefined\n"
        "  return [samples[0].B04];\n          ^\n"
        "This pixel has no scene at all: its samples are an empty array."
    )
    assert check(first.replace("samples[0].B04", "samples.length ? samples[0].B04 : 0")) == []


def test_arrays_of_other_lengths_are_reported() -> None:
    assert check(TIME_SERIES.replace("RETURNED", "mask"), [("NDVI", TIFF), ("data_mask", TIFF)]) == []
    warnings = check(TIME_SERIES.replace("RETURNED", "series"), [("NDVI", TIFF), ("data_mask", TIFF)])
    assert warnings[0] == (
        "evaluatePixel returned 0/1/3 values for output NDVI, which has 5 bands: longer arrays are cut, "
        "shorter ones filled up with zeros."
    )


@pytest.mark.parametrize(
    "trap",
    [
        "while (true) {}",
        "try { while (true) {} } catch (e) {} while (true) {}",
        "/(a+)+$/.test('a'.repeat(40) + 'b')",
    ],
)
def test_endless_scripts_are_stopped(trap: str) -> None:
    started = time.process_time()
    with pytest.raises(
        EvalscriptError, match=r"^Failed to evaluate script!\nExecution took more than 0\.3 s of CPU"
    ):
        Evalscript(f"//VERSION=3\nfunction setup() {{ {trap} }}", time_limit=0.3)
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    "bomb",
    [
        "const hoard = []; while (true) hoard.push(new Array(1000).fill(0));",
        "new ArrayBuffer(1e9);",
        "'x'.repeat(1e9);",
    ],
)
def test_greedy_scripts_are_stopped(bomb: str) -> None:
    with pytest.raises(EvalscriptError) as failure:
        Evalscript(f"//VERSION=3\n{bomb}", memory_limit=32 << 20)
    assert str(failure.value) == "Failed to evaluate script!\nOut of memory: the script may use 32 MB."


def test_limits_hold_for_pixels_as_well() -> None:
    source = script("function evaluatePixel(samples) { while (samples.length) {} return [0]; }")
    evalscript = Evalscript(source, time_limit=0.3)
    with pytest.raises(EvalscriptError, match="Execution took more than"):
        evalscript.check(L2A, [("default", TIFF)])


def test_endless_recursion_is_an_error_of_the_script() -> None:
    assert "evalscript.js:3: RangeError" in refusal(
        script("function evaluatePixel(s) { return evaluatePixel(s); }")
    )


def test_the_script_sees_nothing_of_its_host() -> None:
    context = Script("//VERSION=3\n", memory_limit=64 << 20, time_limit=5)
    for name in ("require", "std", "os", "fetch", "process", "host", "job", "console", "scriptArgs"):
        assert context.eval(f"typeof {name}") == "undefined", name
