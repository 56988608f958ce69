"""Data fusion: several collections, or one several times, in one evalscript."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from sandbox.batch_calls import Batch, violations
from sandbox.evalscripts import script
from sandbox.test_render import FLOAT, data, image, job, orbit, picture, simple

from airflow_provider_sentinelhub.sandbox import pricing
from airflow_provider_sentinelhub.sandbox.evalscript import Evalscript, EvalscriptError
from airflow_provider_sentinelhub.sandbox.render import render

TWO_FLOATS = "{bands: 2, sampleType: 'FLOAT32'}"
BOTH = '[{datasource: "l2a", bands: ["B04"]}, {datasource: "l1c", bands: ["B04", "CLM"]}]'


def two(**options: Any) -> Any:
    """L1C as ``l1c`` and L2A as ``l2a``; ``options`` are of the latter's filter."""
    [first], [second] = data("sentinel-2-l1c"), data("sentinel-2-l2a", **options)
    return [{**first, "id": "l1c"}, {**second, "id": "l2a"}]


def alone(collection: str, body: str = "s.B04") -> Any:
    return picture(simple(body, '["B04", "CLM"]', FLOAT), data=data(collection))[0]


def fused(body: str, bands: str = BOTH, output: str = TWO_FLOATS, mosaicking: str = "SIMPLE") -> str:
    return script(
        f"function evaluatePixel(samples, scenes) {{ {body} }}",
        bands=bands,
        output=output,
        mosaicking=mosaicking,
    )


def test_samples_by_the_ids_of_the_request() -> None:
    pixels = picture(fused("return [samples.l1c[0].B04, samples.l2a[0].B04];"), data=two())
    assert np.array_equal(pixels[0], alone("sentinel-2-l1c"))
    assert np.array_equal(pixels[1], alone("sentinel-2-l2a"))
    assert not np.array_equal(*pixels)


def test_samples_by_the_order_of_the_request() -> None:
    bands = '[{bands: ["CLM", "B04"]}, {bands: ["B04"]}]'
    source = fused("return [samples['0'][0].B04, samples[1][0].B04];", bands)
    unnamed = [{key: value for key, value in item.items() if key != "id"} for item in two()]
    assert np.array_equal(
        picture(source, data=unnamed),
        picture(fused("return [samples.l1c[0].B04, samples.l2a[0].B04];"), data=two()),
    )


def test_one_collection_in_two_periods() -> None:
    early, late = data("sentinel-2-l2a") * 2
    before = {
        **early,
        "id": "before",
        "dataFilter": {"timeRange": {"from": "2020-05-01T00:00:00Z", "to": "2020-05-30T23:59:59Z"}},
    }
    bands = '[{datasource: "before", bands: ["B04"]}, {datasource: "after", bands: ["B04"]}]'
    pixels = picture(
        fused("return [samples.before[0].B04, samples.after[0].B04];", bands),
        data=[before, {**late, "id": "after"}],
    )
    assert np.array_equal(pixels[1], alone("sentinel-2-l2a"))
    assert not np.array_equal(*pixels)


def test_mosaicking_of_each_input() -> None:
    bands = BOTH.replace('["B04"]}', '["B04"], mosaicking: "ORBIT"}')
    source = fused(
        """const {orbits} = scenes.l2a.scenes;
        if (orbits.length !== samples.l2a.length || scenes.l2a.scenes[0].date.toISOString().slice(0, 10)
            !== orbits[0].dateFrom.slice(0, 10)) throw 'scenes';
        return [samples.l1c.length, samples.l2a.length];""",
        bands,
    )
    tile = render(job(source, data=two()))
    assert image(tile)[:, 0, 0].tolist() == [1, 6]
    # Mean samples of the collections, three bands, two collections.
    assert (tile.samples, tile.input_bands, tile.collections) == (3.5, 3, 2)


def test_scenes_can_be_filtered_and_counted() -> None:
    source = (
        fused("return [samples.l1c.length, samples.l2a.length];", mosaicking="ORBIT")
        + """
      function preProcessScenes(collections) {
        if (!(collections.l2a.from instanceof Date)) throw 'from';
        const {scenes} = collections.l2a;
        scenes.orbits = scenes.orbits.filter((_, i) => i % 3 == 1);
        return collections;
      }
      function updateOutput(output, collections) {
        if (collections.l1c.scenes.length !== 6) throw 'l1c';
        output.default.bands = collections.l2a.scenes.length;
      }"""
    )
    assert picture(source, data=two())[:, 0, 0].tolist() == [6, 2]


def test_a_source_without_products() -> None:
    nothing = two(timeRange={"from": "2010-01-01T00:00:00Z", "to": "2010-02-01T00:00:00Z"})
    source = fused("return [samples.l1c.length, samples.l2a.length];")
    assert picture(source, data=nothing)[:, 0, 0].tolist() == [1, 0]
    # The other way round, the values that are there must not slip into the other source.
    swapped = fused("return [samples.l1c[0].B04, samples.l1c[0].CLM];", BOTH)
    assert np.array_equal(picture(swapped, data=nothing)[0], alone("sentinel-2-l1c"))


def test_user_data_of_several_sources() -> None:
    source = (
        fused("return [1, 2];", mosaicking="TILE")
        + """
      function updateOutputMetadata(scenes, _, out) {
        out.userData = Object.keys(scenes).map(id => [id, scenes[id].scenes.tiles[0].dataPath]);
      }"""
    )
    tile = render(job(source, data=two(), responses=[("userdata", "application/json")]))
    paths = dict(json.loads(tile.files["userdata"]))
    assert paths["l1c"].startswith("s3://sentinel-s2-l1c/")
    assert paths["l2a"].startswith("s3://sentinel-s2-l2a/")


@pytest.mark.parametrize(
    ("bands", "ids", "message"),
    [
        ('["B04"]', ["a", "b"], "Every collection of the request needs an input in setup()."),
        ('[{datasource: "a", bands: ["B04"]}]', ["a", "b"], "Every collection of the request needs an input"),
        (
            '[{datasource: "a", bands: ["B04"]}, {datasource: "c", bands: ["B04"]}]',
            ["a", "b"],
            "Datasource 'c' is no id of the request's input data: [a, b].",
        ),
        (
            '[{datasource: "a", bands: ["B04"]}, {bands: ["B04"]}]',
            ["a", "b"],
            "Either all inputs have a datasource or none.",
        ),
        (
            '[{bands: ["B04"]}, {bands: ["B08"]}, {bands: ["B11"]}]',
            ["a", "b"],
            "setup() has more inputs than the request has collections.",
        ),
        (
            '[{datasource: "a", bands: ["B04"]}, {datasource: "b", bands: ["B04"]}]',
            ["a"],
            "The request has one collection, setup() names several: [a, b].",
        ),
        (
            '[{datasource: "a", bands: ["B04"]}, {datasource: "b", bands: ["B10"]}]',
            ["a", "b"],
            "Collection 'S2L2A' has no band 'B10'.",
        ),
        ('[{datasource: 1, bands: ["B04"]}]', ["a"], "input.datasource must be a string."),
        ('[{bands: ["B04"], mosaicking: "ALL"}]', ["a"], "Unknown mosaicking 'ALL'."),
    ],
)
def test_refusals(bands: str, ids: list[str], message: str) -> None:
    with pytest.raises(EvalscriptError) as failure:
        Evalscript(fused("return [1, 2];", bands)).check(
            ["sentinel-2-l1c", "sentinel-2-l2a"][: len(ids)], [("default", "image/tiff")], ids=ids
        )
    assert message in str(failure.value)


def test_a_pixel_without_scenes_is_tried_out() -> None:
    options: Any = {"ids": ["l1c", "l2a"], "responses": [("default", "image/tiff")]}
    collections = ["sentinel-2-l1c", "sentinel-2-l2a"]
    risky = "return [samples.l1c[0].B04, samples.l2a[0].B04];"
    # The documentation's own examples take it that a flattened source has a sample.
    assert Evalscript(fused(risky)).check(collections, **options) == []
    with pytest.raises(EvalscriptError, match="This pixel has no scene at all"):
        Evalscript(fused(risky, mosaicking="ORBIT")).check(collections, **options)


def test_an_only_collection_needs_no_name() -> None:
    named = simple("s.B04", '[{datasource: "whatever", bands: ["B04"]}]')
    assert np.array_equal(picture(named), picture(simple("s.B04", '["B04"]')))
    assert orbit("return [s.length];") is not None


def test_fusion_multiplies_the_price() -> None:
    sizes: Any = {"pixels": 512 * 512, "bands": 3, "float32": False, "samples": 1}
    assert pricing.process_units(**sizes) == 1
    assert pricing.process_units(**sizes, collections=3) == 3
    assert pricing.tile_units(**sizes, collections=2) == pytest.approx(2 / 3)


def test_a_batch_request_of_two_collections(batch: Batch) -> None:
    body = batch.body()
    [item] = body["processRequest"]["input"]["data"]
    body["processRequest"]["input"]["data"] = [
        {**item, "type": f"sentinel-2-{n}", "id": n} for n in ("l1c", "l2a")
    ]
    body["processRequest"]["evalscript"] = fused("return [samples.l1c[0].B04, samples.l2a[0].B04];")
    request_id = batch.create(body)
    batch.accept(request_id, "start")
    done = batch.until(request_id, "DONE")
    assert len(batch.tiles(request_id)) == 1
    assert done["costPU"] == 100
    body["processRequest"]["input"]["data"][1]["id"] = "l1c"
    refused = batch.call("POST", "/process", json=body)
    assert violations(refused) == {"processRequest->input->data": "ids must be unique"}
