"""Prices before a request is created: of a grid's tiles and a file's features."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import shapely
from client.price.making import CALIFORNIA, DAYS, START, script, seen, wire
from shapely.geometry import box, mapping

from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.evalscript import Input, Output, Setup
from airflow_provider_sentinelhub.client.geopackage import Feature, write_geopackage
from airflow_provider_sentinelhub.client.price import Range, Source, price_definition

TUTORIAL = script("ORBIT", bands=("B04", "B08", "CLM", "dataMask"))
ONE_TILE = {"bbox": [-119.24, 36.05, -119.23, 36.06]}


def faults_of(call: Any) -> list[str]:
    with pytest.raises(DefinitionError) as error:
        call()
    return [fault.field for fault in error.value.faults]


def test_the_tutorial() -> None:
    """Its 8 tiles, and a sample for each third day, as the service assumed of all collections."""
    estimate = price_definition(wire(collection="byoc-x", resolution=10), script=TUTORIAL)
    assert estimate.count == 8
    assert estimate.before_minimum.likely == pytest.approx(295.0032552083333 / 3)
    assert estimate.pu.likely == 100


def test_buffers_are_paid_for() -> None:
    estimate = price_definition(wire(resolution=10, buffer=(50, 20)), script=script())
    [tiles] = estimate.tiles
    assert (tiles.width, tiles.height, tiles.count) == (1100, 1040, 8)
    assert estimate.before_minimum.likely == pytest.approx(8 * 1100 * 1040 / 512**2 * 2 / 3 / 3)


def test_floats_count_only_if_asked_for() -> None:
    both = Setup((Input({"B04": None}),), (Output("a", 1, "UINT8"), Output("b", 1, "FLOAT32")))
    prices = {
        outputs: price_definition(wire(outputs=outputs), script=both)
        for outputs in (("a",), ("b",), ("a", "b"), ("a", "userdata"))
    }
    assert [one.terms.format for one in prices.values()] == [1, 2, 2, 1]
    assert any("mixed" in sentence for sentence in prices["a", "b"].assumptions)
    assert not any("mixed" in sentence for sentence in prices["b",].assumptions)


@pytest.mark.parametrize(
    ("processing", "factor"),
    [
        ({}, 1),
        ({"orthorectify": True}, 2),
        ({"orthorectify": False}, 1),
        ({"orthorectify": True, "backCoeff": "GAMMA0_TERRAIN"}, 2.5),
        ({"speckleFilter": {"type": "LEE", "windowSizeX": 5}}, 2),
        ({"speckleFilter": {"type": "NONE"}}, 1),
        ({"backCoeff": "GAMMA0_TERRAIN", "speckleFilter": {"type": "LEE"}}, 5),
    ],
)
def test_sentinel_1(processing: dict[str, Any], factor: float) -> None:
    radar = price_definition(wire(collection="sentinel-1-grd", processing=processing), script=script())
    assert radar.terms.sentinel1 == factor
    optical = price_definition(wire(processing=processing), script=script())
    assert optical.terms.sentinel1 == 1


def test_without_scenes_it_says_what_it_assumes() -> None:
    estimate = price_definition(wire(), script=script("ORBIT"))
    samples = estimate.samples
    assert samples.low == DAYS // 5
    assert samples.likely == pytest.approx(DAYS / 5 / 0.809, rel=0.01)  # at 36 degrees north
    assert any("sentinel-2-l2a is taken to come by every 5 days" in one for one in estimate.assumptions)
    clear = price_definition(wire(data_filter={"maxCloudCoverage": 30}), script=script("ORBIT"))
    assert clear.samples.low == 0
    assert clear.samples.likely == pytest.approx(0.3 * samples.likely)
    assert clear.samples.high == samples.high
    assert price_definition(wire(), script=script("TILE")).samples.likely > samples.likely
    assert price_definition(wire(collection="dem"), script=script("ORBIT")).samples == Range(1, 1, 1)


def test_samples_are_counted_by_footprints() -> None:
    [outline] = [shapely.box(-119.5, 35.9, -119.0, 36.3)]
    half = box(-119.5, 35.9, -119.245, 36.3)  # west of the middle of the tile, more or less
    scenes = [
        seen(outline, 1.2),
        seen(half, 1.6),  # the same day
        seen(mapping(outline), 5, cloud_cover=40),
        seen(outline, 9, cloud_cover=60),
        seen(half, 12),
        seen(outline, -0.1),  # too early
        seen(outline, DAYS + 0.1),
        seen(box(0, 0, 1, 1), 20),
    ]
    filters = {"maxCloudCoverage": 50}
    prices = {
        mosaicking: price_definition(
            wire(ONE_TILE, data_filter=filters), script=script(mosaicking), scenes=scenes
        )
        for mosaicking in ("SIMPLE", "ORBIT", "TILE")
    }
    assert prices["SIMPLE"].samples == Range(1, 1, 1)
    low, likely, high = prices["ORBIT"].samples
    part = likely - 2
    assert (low, high) == (2, 3)
    assert 0.1 < part < 0.9
    assert prices["TILE"].samples == pytest.approx((2, 2 + 2 * part, 4))


def test_tiles_that_nobody_saw_are_free_or_cost_one_sample() -> None:
    for mosaicking in ("SIMPLE", "ORBIT", "TILE"):
        estimate = price_definition(wire(ONE_TILE), script=script(mosaicking), scenes=[])
        assert estimate.samples == Range(0, 0, 1)
        assert estimate.pu == Range(100, 100, 100)


def test_the_antimeridian() -> None:
    bounds = {"bbox": [179.9, 10.0, 180.0, 10.1]}
    both = shapely.MultiPolygon([box(178, 8, 180, 12), box(-180, 8, -178, 12)])
    asked = []

    def find(_: Source, area: Any) -> list[Any]:
        asked.append(area)
        return [seen(both), seen(both, 7)]

    estimate = price_definition(wire(bounds, grid=2, resolution=360), script=script("ORBIT"), scenes=find)
    assert estimate.samples == pytest.approx((2, 2, 2))
    assert 0.5 < asked[0].area < 3  # on both sides, not around the world


def test_scenes_are_looked_for_where_whole_tiles_are() -> None:
    asked: list[Any] = []

    def find(source: Source, area: Any) -> list[Any]:
        asked.append((source, area))
        return [seen(box(-125, 30, -110, 40))]

    estimate = price_definition(wire(buffer=(50, 50)), script=script("ORBIT"), scenes=find)
    [(source, area)] = asked
    assert (source.collection, source.start) == ("sentinel-2-l2a", START)
    assert area.contains(shapely.Polygon(CALIFORNIA).buffer(0.005))
    assert area.area < 0.2
    assert estimate.samples == Range(1, 1, 1)


def test_data_fusion() -> None:
    body = wire(ONE_TILE)
    [item] = body["processRequest"]["input"]["data"]
    other = {**item, "id": "b", "type": "landsat-ot-l1"}
    body["processRequest"]["input"]["data"] = [{**item, "id": "a"}, other]
    inputs = (Input({"B04": None, "dataMask": None}, "a"), Input({"B04": None, "B05": None}, "b", "ORBIT"))
    fused = Setup(inputs, (Output("default", 1, "UINT8"),))
    outline = box(-120, 35, -118, 37)
    counts = {"sentinel-2-l2a": 5, "landsat-ot-l1": 3}
    estimate = price_definition(
        body,
        script=fused,
        scenes=lambda source, _: [seen(outline, day + 0.5) for day in range(counts[source.collection])],
    )
    assert (estimate.terms.bands, estimate.terms.fusion) == (3, 2)
    assert estimate.samples == Range(1, 2, 3)
    assert faults_of(lambda: price_definition(body, script=fused, scenes=[seen(outline)])) == ["scenes"]


def test_what_may_be_left_out_shows_in_the_low_price() -> None:
    for one in (
        price_definition(wire(), script=script("ORBIT", filters_scenes=True)),
        price_definition(wire(output={"type": "raster", "skipExisting": True}), script=script()),
    ):
        assert one.before_minimum.low == 0 < one.before_minimum.likely


def test_features_of_a_file(tmp_path: Path) -> None:
    crs = "EPSG:32611"
    features = [
        Feature("resolved", box(300_000, 3_990_000, 301_005, 3_991_000), crs, resolution=10),
        Feature("sized", box(300_000, 3_990_000, 301_000, 3_991_000), crs, width=150, height=60),
        Feature("far", box(500_000, 3_990_000, 501_000, 3_991_000), crs, resolution=10),
    ]
    path = tmp_path / "fields.gpkg"
    write_geopackage(path, features)
    body = {**wire(), "input": {"type": "geopackage"}}
    del body["processRequest"]["input"]["bounds"]
    estimate = price_definition(body, script=script(), geopackage=path)
    assert {(tiles.width, tiles.height) for tiles in estimate.tiles} == {(101, 100), (150, 60), (100, 100)}
    # The tenth of a thousand pixels more makes the first so much cheaper than the last.
    units = (101 * 100 / 3 + 150 * 60 + 100 * 100) / 512**2 * 2 / 3
    assert estimate.before_minimum.likely == pytest.approx(units)
    body["processRequest"]["input"]["bounds"] = {"bbox": [-119.3, 35.9, -119.1, 36.1]}
    within = price_definition(body, script=script(), geopackage=path, scenes=[seen(box(-125, 30, -110, 40))])
    assert {(tiles.width, tiles.height) for tiles in within.tiles} == {(101, 100), (150, 60)}
    assert faults_of(lambda: price_definition(body, script=script())) == ["geopackage"]


def test_defaults_of_a_file(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "fields.gpkg"
    write_geopackage(path, [Feature("a", box(0, 0, 0.1, 0.2), resolution=0.01)])
    with sqlite3.connect(path) as database:
        database.execute("UPDATE features_4326 SET resolution = NULL")
    database.close()
    body = {**wire(), "input": {"type": "geopackage", "defaults": {"resolution": 0.001}}}
    del body["processRequest"]["input"]["bounds"]
    [tiles] = price_definition(body, script=script(), geopackage=path).tiles
    assert (tiles.width, tiles.height) == (100, 200)
    del body["input"]["defaults"]
    assert faults_of(lambda: price_definition(body, script=script(), geopackage=path)) == ["geopackage"]


def test_low_is_never_above_likely_nor_likely_above_high() -> None:
    chance = random.Random(7)
    for _ in range(40):
        lon, lat = chance.uniform(-179, 178), chance.uniform(-70, 70)
        bounds = {"bbox": [lon, lat, lon + chance.uniform(0.01, 0.4), lat + 0.1]}
        body = wire(
            bounds,
            collection=chance.choice(("sentinel-2-l1c", "sentinel-1-grd", "modis", "byoc-x")),
            grid=0,
            resolution=60,
            data_filter=chance.choice(({}, {"maxCloudCoverage": 35})),
            buffer=(chance.randint(0, 9), 0),
        )
        scenes = [
            seen(
                box(x := lon + chance.uniform(-1, 0.5), lat - chance.uniform(0, 0.3), x + 1, lat + 0.3),
                chance.uniform(0, 30),
                chance.uniform(0, 100),
            )
            for _ in range(chance.randint(0, 30))
        ]
        asked = script(chance.choice(("SIMPLE", "ORBIT", "TILE")))
        for known in (None, scenes):
            estimate = price_definition(body, script=asked, scenes=known)
            for low, likely, high in (estimate.pu, estimate.before_minimum, estimate.samples):
                assert low <= likely + 1e-9
                assert likely <= high + 1e-9


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"processRequest": {}}, ["evalscript", "collection"]),
        ({"input": {"type": "tiling-grid"}}, ["tiling_grid_id", "resolution"]),
        ({"input": {"type": "shapefile"}}, ["input"]),
        ({"input": {"type": "tiling-grid", "id": 9, "resolution": 10}}, ["tiling_grid_id"]),
        ({"input": {"type": "tiling-grid", "id": 1, "resolution": 17}}, ["resolution"]),
        ({"input": {"type": "tiling-grid", "id": 6, "resolution": 100}}, ["area"]),  # Europe's
    ],
)
def test_what_cannot_be_priced_is_named(change: dict[str, Any], fields: list[str]) -> None:
    known = None if "processRequest" in change else script()
    assert faults_of(lambda: price_definition({**wire(), **change}, script=known)) == fields


def test_time_is_needed_to_count_scenes() -> None:
    body = wire(data_filter={"timeRange": {}})
    assert price_definition(body, script=script("SIMPLE")).count == 8
    assert faults_of(lambda: price_definition(body, script=script("ORBIT"))) == ["time_range"]
    body = wire(data_filter={"timeRange": {"from": "yesterday"}})
    assert faults_of(lambda: price_definition(body, script=script())) == ["time_range"]


TABLE = """\
term                           quantity                              factor or PU
-----------------------------  ----------------------  --------------------------
input bands                    3 for 3, dataMask free                         x 1
output format                  8 or 16 bits                                   x 1
tiles                          8, 9,680,000 pixels
8 of 1100 x 1100 px            each for 512 x 512                         x 4.616
  samples per pixel            9.67 (9.00 to 20.00)                       x 9.667
  Batch V2                                                               x 0.3333
  all of these                                        118.98 (110.78 to 246.18) PU
"""


def test_the_table_can_be_read_by_who_approves_it() -> None:
    body = wire(collection="byoc-x", resolution=10, buffer=(50, 50))
    estimate = price_definition(body, script=TUTORIAL)
    lines = estimate.table().splitlines()
    assert [line.split() for line in lines[2:9]] == [line.split() for line in TABLE.splitlines()[2:]]
    assert [line.split()[1:] for line in lines if line.startswith("PRICE")] == [
        ["low", "110.78", "PU"],
        ["likely", "118.98", "PU"],
        ["high", "246.18", "PU"],
    ]
    assert "Assumed:" in lines
    markdown = estimate.table("markdown")
    assert "| **PRICE, likely** |  | **118.98 PU** |" in markdown
    assert markdown.startswith("| term | quantity | factor or PU |\n|---|---|---:|\n")
    for sentence in estimate.assumptions:
        assert f"- {sentence}" in markdown


def test_it_fits_into_xcom() -> None:
    said = price_definition(wire(), script=script("ORBIT")).to_dict()
    assert json.loads(json.dumps(said)) == said
    assert set(said["pu"]) == {"low", "likely", "high"}
    assert said["terms"]["minimum"] == 100
