"""Whole tiles: request in, files out."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from rasterio.io import MemoryFile
from sandbox.evalscripts import NDVI, TIME_SERIES, script
from shapely import box

from airflow_provider_sentinelhub.sandbox.evalscript import EvalscriptError
from airflow_provider_sentinelhub.sandbox.render import RenderedTile, TileJob, render, render_all

BOUNDS = (292_000.0, 3_982_000.0, 294_000.0, 3_984_000.0)
IMAGE = [("default", "image/tiff")]
FLOAT = "{bands: 1, sampleType: 'FLOAT32'}"
FLOATS = "{bands: 2, sampleType: 'FLOAT32'}"
FOUR_FLOATS = "{bands: 4, sampleType: 'FLOAT32'}"
SERIES = TIME_SERIES.replace("RETURNED", "series")
SERIES_IMAGES = [("NDVI", "image/tiff"), ("data_mask", "image/tiff")]


def data(collection: str = "sentinel-2-l1c", processing: dict[str, Any] | None = None, **options: Any) -> Any:
    period = {"from": "2020-07-01T00:00:00Z", "to": "2020-07-30T23:59:59Z"}
    return [
        {"type": collection, "dataFilter": {"timeRange": period} | options, "processing": processing or {}}
    ]


def job(evalscript: str = NDVI, **options: Any) -> TileJob:
    defaults: dict[str, Any] = {
        "data": data(),
        "responses": IMAGE,
        "epsg": 32611,
        "bounds": BOUNDS,
        "width": 200,
        "height": 200,
    }
    return TileJob(evalscript, **(defaults | options))


def image(tile: RenderedTile, identifier: str = "default") -> np.ndarray[Any, Any]:
    with MemoryFile(tile.files[identifier]) as file, file.open() as dataset:
        pixels: np.ndarray[Any, Any] = dataset.read()
    return pixels


def picture(source: str, **options: Any) -> np.ndarray[Any, Any]:
    return image(render(job(source, **options)))


def simple(body: str, bands: str, output: str = FLOAT) -> str:
    body = f"function evaluatePixel(s, scenes) {{ return [{body}]; }}"
    return script(body, bands=bands, output=output, mosaicking="SIMPLE")


def orbit(body: str, output: str = FLOAT) -> str:
    return script(f"function evaluatePixel(s, scenes) {{ {body} }}", output=output)


def test_a_tile_that_fails_leaves_its_neighbours_alone() -> None:
    fails = script("function evaluatePixel() { throw new Error('bad'); }")
    small: dict[str, Any] = {"bounds": (300_000, 4_000_000, 300_160, 4_000_160), "width": 16, "height": 16}
    first, failed, last = render_all([job(**small), job(fails, **small), job(**small)])
    assert isinstance(failed, EvalscriptError)
    assert "Error: bad" in str(failed)
    assert isinstance(first, RenderedTile)
    assert isinstance(last, RenderedTile)
    assert first.files == last.files == render(job(**small)).files


def test_an_ndvi_tile() -> None:
    tile = render(job(cog=True))
    with MemoryFile(tile.files["default"]) as file, file.open() as dataset:
        assert (dataset.count, dataset.dtypes[0], dataset.shape) == (1, "float32", (200, 200))
        assert dataset.bounds == BOUNDS
        assert dataset.crs.to_epsg() == 32611
        ndvi = dataset.read(1)
    assert -0.5 < ndvi.min() < 0.2
    assert 0.6 < ndvi.max() < 1
    assert len(np.unique(ndvi)) > 200
    assert (tile.pixels, tile.input_bands, tile.float32, tile.samples) == (40_000, 2, True, 1.0)
    assert (tile.no_data, tile.warnings) == (False, [])


def test_jobs_and_tiles_cross_processes() -> None:
    assert pickle.loads(pickle.dumps(job())) == job()
    tile = render(job())
    assert pickle.loads(pickle.dumps(tile)) == tile


def test_rendering_is_repeatable() -> None:
    assert render(job()).files == render(job()).files


def test_units() -> None:
    both = '[{bands: ["B04"], units: "DN"}]', '[{bands: ["B04"], units: "REFLECTANCE"}]', '["B04"]'
    numbers, reflectance, default = (picture(simple("s.B04", bands)) for bands in both)
    assert numbers.max() > 500
    assert np.array_equal(numbers, np.round(numbers))
    assert np.array_equal(reflectance, (numbers.astype(float) * 0.0001).astype(np.float32))
    assert np.array_equal(default, reflectance)


@pytest.mark.parametrize(
    ("sample_type", "dtype", "factor", "low", "high"),
    [
        ("UINT8", "uint8", 3000, 0, 255),
        ("INT8", "int8", 3000, -128, 127),
        ("UINT16", "uint16", 1e6, 0, 65_535),
    ],
)
def test_sample_types(sample_type: str, dtype: str, factor: float, low: int, high: int) -> None:
    output = f"{{bands: 1, sampleType: '{sample_type}'}}"
    floats = picture(simple("s.B08 - 0.3", '["B08"]'))
    pixels = picture(simple(f"(s.B08 - 0.3) * {factor}", '["B08"]', output))
    assert pixels.dtype == dtype
    expected = np.clip(np.floor(floats.astype(float) * factor + 0.5), low, high)
    assert np.abs(pixels - expected).max() <= 1  # float32 lost a little
    assert (pixels.min(), pixels.max()) == (low, high)


def test_auto_stretches() -> None:
    pixels = picture(simple("s.B08 * 5 - 1", '["B08"]', "{bands: 1}"))
    assert pixels.dtype == np.uint8
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert 20 < np.median(pixels) < 255


@pytest.mark.parametrize("bands", [1, 2, 5, 12])
def test_bands_of_the_output(bands: int) -> None:
    values = ", ".join(f"s.B04 + {i}" for i in range(bands))
    pixels = picture(simple(values, '["B04"]', f"{{bands: {bands}, sampleType: 'FLOAT32'}}"))
    assert pixels.shape == (bands, 200, 200)
    assert np.allclose(pixels[-1], pixels[0] + bands - 1, atol=1e-6)


def test_outputs_and_their_files() -> None:
    source = script(
        """function evaluatePixel(s) { return {a: [s.B04], b: [7, 8], c: [1]}; }
        function updateOutputMetadata(scenes, input, output) { output.userData = {unit: "DN"}; }""",
        output="""[{id: "a", bands: 1, sampleType: "UINT16", nodataValue: 0},
                   {id: "b", bands: 2, sampleType: "INT16", nodataValue: -9999},
                   {id: "c", bands: 1, sampleType: "FLOAT32"}]""",
        mosaicking="SIMPLE",
    )
    responses = [("b", "image/tiff"), ("a", "image/tiff"), ("userdata", "application/json")]
    tile = render(job(source, responses=responses))
    assert list(tile.files) == ["b", "a", "userdata"]
    assert json.loads(tile.files["userdata"]) == {"unit": "DN"}
    assert not tile.float32  # c was not asked for
    assert np.unique(image(tile, "b")[1]).tolist() == [8]
    with MemoryFile(tile.files["b"]) as file, file.open() as dataset:
        assert dataset.nodata == -9999


def test_user_data_alone() -> None:
    source = script("function evaluatePixel(s, scenes, i, c, out) { out.userData = scenes.orbits.length; }")
    tile = render(job(source, responses=[("userdata", "application/json")]))
    assert json.loads(tile.files["userdata"]) == 6


def test_orbits_come_most_recent_first() -> None:
    source = script(
        """function evaluatePixel(s) { return [s.length]; }
        function updateOutputMetadata(scenes, input, output) {
          output.userData = scenes.orbits.map(orbit => orbit.dateFrom.slice(0, 10));
        }""",
        output="{bands: 1, sampleType: 'UINT8'}",
    )
    responses = [*IMAGE, ("userdata", "application/json")]
    days = [f"2020-07-{day:02}" for day in (30, 25, 20, 15, 10, 5)]
    tile = render(job(source, responses=responses))
    assert json.loads(tile.files["userdata"]) == days
    assert np.unique(image(tile)).tolist() == [6]
    assert tile.samples == 6
    least = render(job(source, responses=responses, data=data(mosaickingOrder="leastRecent")))
    assert json.loads(least.files["userdata"]) == days[::-1]


def test_scenes_left_by_pre_process_scenes_are_what_is_billed() -> None:
    source = (
        orbit("return [s.length];")
        + """
      function preProcessScenes(collections) {
        collections.scenes.orbits = collections.scenes.orbits.filter((_, i) => i % 3 == 1);
        return collections;
      }"""
    )
    tile = render(job(source))
    assert np.unique(image(tile)).tolist() == [2]
    assert tile.samples == 2


def test_tiles_that_overlap_are_samples_of_their_own() -> None:
    counting = "function evaluatePixel(s) { return [s.filter(one => one.dataMask).length]; }"
    source = script(counting, bands='["dataMask"]', mosaicking="TILE")
    # Granules 11SKA and 11SLA overlap from 300 to 309.8 km.
    tile = render(job(source, bounds=(299_000, 4_020_000, 301_000, 4_022_000)))
    counts = image(tile)[0]
    assert np.unique(counts[:, :90]).tolist() == [6]
    assert np.unique(counts[:, 110:]).tolist() == [12]
    assert tile.samples == 9
    assert tile.input_bands == 1


def test_the_data_mask_is_not_billed_beside_other_bands() -> None:
    assert render(job(simple("s.B04", '["B04", "dataMask"]'))).input_bands == 1
    assert render(job(simple("s.dataMask", '["dataMask"]'))).input_bands == 1


def test_simple_mosaics_follow_the_order() -> None:
    bands = '["B04", "CLP"]'
    recent, oldest, clearest = (
        picture(
            simple("s.B04, s.CLP", bands, FLOATS),
            data=data(mosaickingOrder=order),
        )
        for order in ("mostRecent", "leastRecent", "leastCC")
    )
    ends = picture(orbit("return [s[0].B04, s[s.length - 1].B04];", FLOATS))
    assert np.array_equal(recent[0], ends[0])
    assert np.array_equal(oldest[0], ends[1])
    assert not np.array_equal(recent, oldest)
    assert clearest[1].mean() <= min(recent[1].mean(), oldest[1].mean())


def test_cloudy_products_can_be_left_out() -> None:
    count = orbit("return [s.length];")
    everything, clear = (picture(count, data=data(maxCloudCoverage=cover)).max() for cover in (100, 30))
    assert everything == 6
    assert 0 < clear < 6


def test_upsampling_is_honoured() -> None:
    source = simple("s.B11", '["B11"]')
    nearest, bilinear = (
        picture(source, data=data(processing={"upsampling": method})) for method in ("NEAREST", "BILINEAR")
    )
    assert np.array_equal(nearest[0, ::2, ::2], nearest[0, 1::2, 1::2])
    assert not np.array_equal(bilinear[0, ::2, ::2], bilinear[0, 1::2, 1::2])


def test_pixels_outside_the_area_have_no_data() -> None:
    source = simple(
        "s.B04, s.B08, s.CLM, s.dataMask",
        '["B04", "B08", "CLM", "dataMask"]',
        "{bands: 4, sampleType: 'FLOAT32'}",
    )
    west, south, _, north = BOUNDS
    area = box(west - 5000, south, west + 1004, north + 5000)  # up to between two centres of pixels
    pixels = picture(source, area_wkb=area.wkb)
    assert not pixels[:, :, 100:].any()
    assert pixels[3, :, :100].all()
    assert np.array_equal(pixels[:, :, :100], picture(source)[:, :, :100])
    tile = render(job(source, area_wkb=box(0, 0, 1, 1).wkb))
    assert tile.no_data
    assert not image(tile).any()


def test_without_any_scene() -> None:
    nothing = data(timeRange={"from": "2010-01-01T00:00:00Z", "to": "2010-02-01T00:00:00Z"})
    source = simple("s.B04 + 5, s.dataMask", '["B04", "dataMask"]', FLOATS)
    tile = render(job(source, data=nothing))
    assert tile.no_data
    assert np.unique(image(tile)[0]).tolist() == [5]
    assert tile.samples == 1
    series = render(job(orbit("return [s.length, scenes.length];", "{bands: 2}"), data=nothing))
    assert series.no_data
    assert not image(series).any()
    assert series.samples == 0
    reporting = orbit("return [s.length];") + (
        "function updateOutputMetadata(scenes, i, out) { out.userData = scenes.orbits[0].dateFrom; }"
    )
    reported = render(job(reporting, data=nothing, responses=[*IMAGE, ("userdata", "application/json")]))
    assert reported.no_data
    assert json.loads(reported.files["userdata"]) == {}
    with pytest.raises(EvalscriptError, match="cannot read property 'B04' of undefined"):
        render(job(orbit("return [s[0].B04];"), data=nothing))


def test_update_output_sets_the_bands_of_the_file() -> None:
    update = "function updateOutput(output, c) { output.default.bands = c.scenes.length; }"
    assert picture(orbit("return s.map(one => one.B04);") + update).shape == (6, 200, 200)


def test_wrong_lengths_are_warned_of() -> None:
    tile = render(job(SERIES, responses=SERIES_IMAGES))
    assert "values for output NDVI, which has 5 bands" in tile.warnings[0]
    assert image(tile, "NDVI").shape == (5, 200, 200)
    assert np.array_equal(image(tile, "data_mask")[4] > 0, image(tile, "NDVI")[0] > 0)


def test_a_script_with_a_memory_sees_every_pixel_in_order() -> None:
    source = simple("n++, s.B04", '["B04"]', FLOATS) + "\nlet n = 0;"
    pixels = picture(source)
    assert np.array_equal(pixels[0], np.arange(40_000).reshape(200, 200))
    assert np.array_equal(pixels[1], picture(simple("s.B04", '["B04"]'))[0])


def test_blocks_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = render(job(SERIES, responses=SERIES_IMAGES))
    monkeypatch.setattr("airflow_provider_sentinelhub.sandbox.render._BLOCK_PIXELS", 37 * 200)
    parts = render(job(SERIES, responses=SERIES_IMAGES))
    assert parts.files == whole.files
    assert parts.samples == whole.samples


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("", {}, "Missing or empty evalscript."),
        (
            NDVI,
            {"responses": [("ndvi", "image/tiff")]},
            "Output ndvi requested but missing from function setup()",
        ),
        (NDVI.replace("B08", "VV"), {}, "Collection 'S2L1C' has no band 'VV'."),
        (NDVI, {"data": data("sentinel-1-grd")}, "The sandbox has no scenes of sentinel-1-grd, only of"),
        (NDVI, {"data": data() * 2}, "Every collection of the request needs an input in setup()."),
        (
            NDVI.replace("bands: 1", "bands: 1e6"),
            {},
            "The outputs of a tile may take 1024 MB in the sandbox.",
        ),
        (NDVI.replace("return [", "return no["), {}, "evalscript.js:6: ReferenceError: no is not defined"),
    ],
)
def test_failures(source: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(EvalscriptError) as failure:
        render(job(source, **options))
    assert message in str(failure.value)
    assert str(pickle.loads(pickle.dumps(failure.value))) == str(failure.value)


@pytest.mark.parametrize("moment", ["30T19:00:00Z", "30T19:00:00.5Z", "30t21:00:00.123456789+02:00", "31"])
def test_ways_to_write_a_moment(moment: str) -> None:
    request = data()
    request[0]["dataFilter"]["timeRange"] = {"from": "2020-07-29T00:00:00.000Z", "to": f"2020-07-{moment}"}
    assert picture(orbit("return [s.length];"), data=request).max() == 1


@pytest.mark.parametrize(
    ("epsg", "bounds"),
    [
        (4326, (-119.25, 36.05, -119.24, 36.06)),
        (3857, (-13_270_000, 4_310_000, -13_269_000, 4_311_000)),
        (3035, (4_300_000, 2_700_000, 4_302_000, 2_702_000)),
        (32733, (500_000, 9_999_000, 502_000, 10_001_000)),
        (32601, (399_000, 6_650_000, 401_000, 6_652_000)),
    ],
)
def test_other_places_and_systems(epsg: int, bounds: Any) -> None:
    tile = render(job(epsg=epsg, bounds=bounds, width=100, height=100, data=data("sentinel-2-l2a")))
    assert not tile.no_data
    assert image(tile).std() > 0
    with MemoryFile(tile.files["default"]) as file, file.open() as dataset:
        assert dataset.crs.to_epsg() == epsg


def test_a_worker_stays_small() -> None:
    """A tile of the tutorial's size in a process of its own: fast enough, and below 180 MB."""
    bounds = (289_500.0, 3_979_500.0, 300_500.0, 3_990_500.0)
    large = job(SERIES, responses=SERIES_IMAGES, bounds=bounds, width=1100, height=1100, cog=True)
    code = f"""
import re, time
from airflow_provider_sentinelhub.sandbox.render import TileJob, render
for _ in range(2):
    render({large!r})
print(time.process_time(), re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, kilobytes = map(float, answer.stdout.split())
    assert seconds < 20
    assert kilobytes < 180 * 1024
