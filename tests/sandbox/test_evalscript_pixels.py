"""What evalscripts compute, and from what."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sandbox.evalscripts import NDVI, TIME_SERIES, evaluate, run, scenes, script

from airflow_provider_sentinelhub.sandbox.evalscript import (
    EvalscriptError,
    SceneInfo,
    TileInfo,
)
from airflow_provider_sentinelhub.sandbox.evalscript.pixels import StatefulScriptError, quantize


def test_a_simple_script() -> None:
    red, infrared = np.array([1000, 2000, 0], np.uint16), np.array([3000, 2000, 0], np.uint16)
    out = evaluate(NDVI, [{"B04": red, "B08": infrared}])["default"]
    assert out.dtype == np.float32
    assert out.tolist() == [[0.5, 0.0, 0.0]]


def test_reflectance_is_dn_times_the_normalization_factor() -> None:
    source = script(
        "function evaluatePixel(s, scenes, input) { return [s.B04, input.normalizationFactor]; }",
        output="{bands: 2, sampleType: 'FLOAT32'}",
        mosaicking="SIMPLE",
    )
    samples = [{"B04": np.array([8795], np.uint16)}]
    out = evaluate(source, samples, scales={"B04": 0.0001})["default"]
    assert out[:, 0].tolist() == [np.float32(0.8795), np.float32(0.0001)]
    assert evaluate(source, samples)["default"][0, 0] == 8795


def test_orbit_scenes_and_their_deprecated_form() -> None:
    source = script(
        """function evaluatePixel(samples, scenes) {
          const [first, second] = scenes.orbits, [tile] = first.tiles;
          if (first.dateFrom !== '2020-07-30T00:00:00Z') throw first.dateFrom;
          if (first.dateTo !== '2020-07-30T23:59:59Z') throw first.dateTo;
          if (tile.date !== '2020-07-30T18:54:16Z' || tile.cloudCoverage !== 0) throw 'tile';
          if (second.tiles[0].shId !== 1001 || second.__idx !== 1) throw 'second';
          if (!(scenes[1].date instanceof Date) || scenes[1].date.getUTCDate() !== 25) throw 'deprecated';
          if (scenes.length !== 3 || scenes.map(scene => scene.date).length !== 3) throw 'length';
          if (Object.keys(scenes).join() !== 'orbits') throw 'shows';
          return [samples.length, samples[0].B04, samples[2].B04];
        }""",
        output="{bands: 3, sampleType: 'UINT16'}",
    )
    samples = [{"B04": np.array([value], np.uint16)} for value in (11, 12, 13)]
    assert evaluate(source, samples)["default"][:, 0].tolist() == [3, 11, 13]


def test_tile_scenes() -> None:
    source = script(
        """function evaluatePixel(samples, scenes) {
          const [first, second] = scenes.tiles;
          if (second.dataPath !== 's3://sentinel-s2-l1c/tiles/11/S/KA/2020/7/25/0') throw second.dataPath;
          return [first.__idx, second.cloudCoverage];
        }""",
        output="{bands: 2, sampleType: 'FLOAT32'}",
        mosaicking="TILE",
    )
    samples = [{"B04": np.zeros(1, np.uint16)}] * 2
    assert evaluate(source, samples)["default"][:, 0].tolist() == [0, 2.5]


def test_simple_mosaicking_has_no_scenes() -> None:
    body = "function evaluatePixel(s, scenes) { return [Object.keys(scenes).length]; }"
    source = script(body, mosaicking="SIMPLE")
    assert evaluate(source, [{"B04": np.zeros(1, np.uint16)}])["default"].tolist() == [[0]]


def test_pre_process_scenes_filters() -> None:
    source = script(
        """function preProcessScenes(collections) {
          if (collections.from.toISOString() !== '2020-07-01T00:00:00.000Z') throw 'from';
          const {orbits} = collections.scenes;
          if (!(collections.to instanceof Date) || orbits[0].tiles !== undefined) throw 'to';
          const late = new Date('2020-07-22T00:00:00Z');
          collections.scenes.orbits = orbits.filter(orbit => new Date(orbit.dateFrom) < late);
          return collections;
        }
        function evaluatePixel(samples, scenes) { return [samples.length, scenes.orbits.length]; }""",
        output="{bands: 2, sampleType: 'UINT8'}",
    )
    started = run(source, [], scenes(4))
    assert started.kept == ((2, 3),)
    block = started.pixels([[{"B04": np.zeros((1, 1), np.uint16)}] * 2], (1, 1))
    assert block["default"].ravel().tolist() == [2, 2]


def test_pre_process_scenes_must_return_them() -> None:
    source = script("function preProcessScenes() {}\nfunction evaluatePixel() { return [1]; }")
    with pytest.raises(EvalscriptError, match=r"^preProcessScenes must return an object with scenes\.$"):
        run(source, [], scenes(2))


def test_pre_process_scenes_cannot_make_scenes_up() -> None:
    source = script(
        "function preProcessScenes(c) { c.scenes.orbits.push({dateFrom: 'now'}); return c; }\n"
        "function evaluatePixel() { return [1]; }"
    )
    with pytest.raises(EvalscriptError, match=r"^preProcessScenes must return scenes it was given\.$"):
        run(source, [], scenes(2))


@pytest.mark.parametrize("bands", ["-1", "1.5", "'many'", "undefined"])
def test_update_output_must_set_a_number(bands: str) -> None:
    source = script(
        f"function updateOutput(o) {{ o.default.bands = {bands}; }}\nfunction evaluatePixel() {{}}"
    )
    with pytest.raises(EvalscriptError, match="Output default has an invalid number of bands"):
        run(source, [], scenes(2))


def test_update_output_sets_the_bands() -> None:
    source = script(
        """function updateOutput(output, collection) {
          if (!(collection.scenes[0].date instanceof Date)) throw 'date';
          output.all.bands = collection.scenes.length;
        }
        function evaluatePixel(samples) { return {all: samples.map(sample => sample.B04), one: [7]}; }""",
        output="[{id: 'all', bands: 1, sampleType: 'UINT16'}, {id: 'one', bands: 1, sampleType: 'UINT8'}]",
    )
    samples = [{"B04": np.array([[value]], np.uint16)} for value in (5, 6, 8)]
    started = run(source, samples)
    assert started.outputs == {"all": 3, "one": 1}
    assert started.pixels([samples], (1, 1))["all"].ravel().tolist() == [5, 6, 8]


def test_only_requested_outputs_are_computed() -> None:
    source = script(
        "function evaluatePixel() { return {b: [2]}; }",
        output="[{id: 'a', bands: 1}, {id: 'b', bands: 1, sampleType: 'UINT8'}]",
    )
    samples = [{"B04": np.zeros(1, np.uint16)}]
    assert list(evaluate(source, samples, requested=["b"])) == ["b"]
    assert evaluate(source, samples, requested=[]) == {}
    with pytest.raises(EvalscriptError, match=r"^Script must return an array\.$"):
        evaluate(source, samples, requested=["a", "b"])


def test_an_array_for_several_outputs_is_refused() -> None:
    source = script(
        "function evaluatePixel() { return [1]; }", output="[{id: 'a', bands: 1}, {id: 'b', bands: 1}]"
    )
    with pytest.raises(EvalscriptError, match="an object with an array for each output"):
        evaluate(source, [{"B04": np.zeros(1, np.uint16)}])


def test_a_script_may_return_nothing() -> None:
    source = script("function evaluatePixel() {}")
    assert evaluate(source, [{"B04": np.zeros(2, np.uint16)}])["default"].tolist() == [[0, 0]]


def test_longer_and_shorter_arrays() -> None:
    source = script(
        "function evaluatePixel(samples) { return new Array(samples[0].B04).fill(9); }",
        output="{bands: 3, sampleType: 'UINT8'}",
    )
    samples = [{"B04": np.array([[0, 2, 3, 5]], np.uint16)}]
    started = run(source, samples)
    block = started.pixels([samples], (1, 4))["default"][:, 0]
    assert block.T.tolist() == [[0, 0, 0], [9, 9, 0], [9, 9, 9], [9, 9, 9]]
    _, warnings = started.finish()
    assert warnings == [
        "evaluatePixel returned 0/2/5 values for output default, which has 3 bands: longer arrays are cut, "
        "shorter ones filled up with zeros."
    ]


def test_a_time_series() -> None:
    count = 400
    generator = np.random.default_rng(1)
    samples = [
        {
            "B04": generator.integers(300, 3000, count).astype(np.uint16),
            "B08": generator.integers(300, 5000, count).astype(np.uint16),
            "CLM": (generator.random(count) < 0.4).astype(np.uint8),
            "dataMask": np.ones(count, np.uint8),
        }
        for _ in range(6)
    ]
    out = evaluate(TIME_SERIES.replace("RETURNED", "series"), samples)
    clear = np.array([sample["CLM"] == 0 for sample in samples])
    oldest = 5 - np.argmax(clear[::-1], axis=0)
    red = np.array([sample["B04"] for sample in samples], float)[oldest, np.arange(count)]
    infrared = np.array([sample["B08"] for sample in samples], float)[oldest, np.arange(count)]
    expected = np.where(clear.any(0), np.floor(10000 + 10000 * (infrared - red) / (infrared + red) + 0.5), 0)
    assert out["NDVI"].dtype == np.uint16
    assert np.array_equal(out["NDVI"][0], expected)
    assert np.array_equal(out["data_mask"][1], clear[5])  # 8 July: only the scene of the 5th is older
    assert np.array_equal(out["data_mask"][4], clear[1:].any(0))  # 29 July: all but the last


@pytest.mark.parametrize(
    ("sample_type", "values", "expected"),
    [
        ("UINT8", [40.6, 310, -5, 0.5, 1.5, np.nan, np.inf], [41, 255, 0, 1, 2, 0, 255]),
        ("INT8", [-200, -1.5, 127.4, 300], [-128, -1, 127, 127]),
        ("INT16", [40_000, -40_000, 2.5], [32_767, -32_768, 3]),
        ("UINT16", [65_535.4, 70_000, 12.49], [65_535, 65_535, 12]),
        ("AUTO", [0, 1, 0.5, 2, -1, np.nan], [0, 255, 128, 255, 0, 0]),
    ],
)
def test_integers_are_rounded_and_clamped(sample_type: str, values: list[float], expected: list[int]) -> None:
    assert quantize(np.array(values), sample_type).tolist() == expected


def test_floats_stay_as_they_are() -> None:
    values = np.array([0.1, -1e30, np.inf, np.nan, 1e300])
    out = quantize(values, "FLOAT32")
    assert out.dtype == np.float32
    assert out[:3].tolist() == [np.float32(0.1), np.float32(-1e30), np.inf]
    assert np.isnan(out[3])
    assert np.isinf(out[4])


def samples_of(count: int, depth: int, seed: int = 3) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    return [{"B04": generator.integers(0, 9, (1, count)).astype(np.uint16)} for _ in range(depth)]


@pytest.mark.parametrize(
    "body",
    [
        "function evaluatePixel(samples) { return [samples.reduce((sum, s, i) => sum + s.B04 * i, 1)]; }",
        # Sorts and changes what it is given, and keeps it.
        "let last; function evaluatePixel(samples) { samples.sort((a, b) => a.B04 - b.B04);"
        " last = samples[0]; samples[1].B04 += last.B04; return [samples[1].B04]; }",
        # Remembers results: state, but none that shows.
        "const known = new Map(); function evaluatePixel(s) { const key = s[0].B04;"
        " if (!known.has(key)) known.set(key, key * key); return [known.get(key)]; }",
    ],
)
def test_equal_pixels_are_evaluated_once_with_the_same_result(body: str) -> None:
    samples = samples_of(2000, 3)
    once, every = (evaluate(script(body), samples, distinct=distinct) for distinct in (True, False))
    assert np.array_equal(once["default"], every["default"])
    assert len(np.unique(once["default"])) > 5


@pytest.mark.parametrize(
    "body",
    [
        "let n = 0; function evaluatePixel() { return [n++]; }",
        "let last = 0; function evaluatePixel([s]) { const out = [s.B04 - last]; last = s.B04; return out; }",
        "function evaluatePixel() { return [Math.random()]; }",
        "function evaluatePixel(s, c, i, d, out) { out.userData = s[0].B04; return [0]; }",
    ],
)
def test_a_script_with_a_memory_is_noticed(body: str) -> None:
    with pytest.raises(StatefulScriptError):
        evaluate(script(body), samples_of(2000, 2))


def test_every_pixel_is_evaluated_in_order_on_request() -> None:
    body = "let n = 0; function evaluatePixel(s) { return [n++ * 10 + s[0].B04]; }"
    samples = samples_of(50, 1)
    out = evaluate(script(body), samples, distinct=False)["default"]
    assert out[0].tolist() == (np.arange(50) * 10 + samples[0]["B04"][0]).tolist()


def test_a_script_that_reports_counts_every_pixel() -> None:
    source = script(
        """var count = 0, highest = 0;
        function evaluatePixel(samples) { count++; highest = Math.max(highest, samples[0].B04); return [0]; }
        function updateOutputMetadata(scenes, inputMetadata, outputMetadata) {
          outputMetadata.userData = {count, highest, orbits: scenes.orbits, input: inputMetadata};
        }"""
    )
    samples = samples_of(3000, 1)
    started = run(source, samples)
    started.pixels([samples], (1, 3000))
    user_data, _ = started.finish()
    reported = json.loads(user_data)
    assert (reported["count"], reported["highest"]) == (3000, int(samples[0]["B04"].max()))
    assert reported["orbits"] == [
        {
            "tiles": [
                {
                    "date": "2020-07-30T18:54:16Z",
                    "shId": 1000,
                    "cloudCoverage": 0,
                    "dataPath": "s3://sentinel-s2-l1c/tiles/11/S/KA/2020/7/30/0",
                }
            ],
            "dateTo": "2020-07-30T23:59:59Z",
            "__idx": 0,
            "dateFrom": "2020-07-30T00:00:00Z",
        }
    ]
    assert reported["input"]["normalizationFactor"] == 0.0001


def test_bounds_are_added_on_request() -> None:
    body = """function evaluatePixel(s, scenes) {
      const [tile] = scenes.orbits[0].tiles;
      return [tile.dataGeometry ? 1 : 0, tile.dataEnvelope ? 1 : 0];
    }"""
    output = "{bands: 2, sampleType: 'UINT8'}"
    samples = [{"B04": np.zeros(1, np.uint16)}]
    with_bounds = script(body, bands='[{bands: ["B04"], metadata: ["bounds"]}]', output=output)
    infos = [
        SceneInfo(info.date, (TileInfo(info.date, 1, 0, "", {"type": "Polygon"}),)) for info in scenes(1)
    ]
    assert evaluate(with_bounds, samples, infos=infos)["default"].ravel().tolist() == [1, 1]
    assert evaluate(script(body, output=output), samples, infos=infos)["default"].ravel().tolist() == [0, 0]
