"""What becomes of a request: analysis, processing, stops, restarts, existing files, and what it costs."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import rasterio
from rasterio.io import MemoryFile
from sandbox.batch_calls import CALIFORNIA, NDVI, Batch, Json, error

from airflow_provider_sentinelhub.sandbox import pricing


def rows(content: bytes, folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on an SQLite file."""
    path = folder / "file.sqlite"
    path.write_bytes(content)
    with sqlite3.connect(path) as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def execution(
    batch: Batch, request_id: str, folder: Path, root: str = "results"
) -> dict[str, tuple[Any, ...]]:
    """Return status, error and delivered of each tile from the execution database on the bucket."""
    content = batch.sandbox.read(f"{root}/{request_id}/execution-{request_id}.sqlite")
    found = rows(content, folder, "SELECT name, status, error, delivered FROM features")
    return {name: (status, text, bool(delivered)) for name, status, text, delivered in found}


def test_analysis_finds_the_tiles_and_uploads_the_manifest(batch: Batch, tmp_path: Path) -> None:
    body = batch.body()
    body["processRequest"]["input"]["bounds"] = {"geometry": {"type": "Polygon", "coordinates": [CALIFORNIA]}}
    body["input"] = {"type": "tiling-grid", "id": 1, "resolution": 10, "bufferX": 50, "bufferY": 50}
    request_id = batch.create(body)
    batch.accept(request_id, "analyse")
    task = batch.until(request_id, "ANALYSIS_DONE")
    assert (task["userAction"], task["completionPercentage"], task["costPU"]) == ("ANALYSE", 0, 0)
    assert task["userActionUpdated"] >= task["created"]
    content = batch.sandbox.read(f"results/{request_id}/featureManifest-{request_id}.gpkg")
    found = rows(
        content, tmp_path, "SELECT identifier, outputId, path, width, height FROM feature_32611 ORDER BY fid"
    )
    assert len(found) == 8  # what the service itself found for this area
    name, output, path, width, height = found[0]
    assert (output, width, height) == ("default", 1000, 1000)
    assert path == f"s3://sandbox/results/{request_id}/{name}/default.tif"


def test_processing_delivers_georeferenced_tiles_and_the_execution_database(
    batch: Batch, tmp_path: Path
) -> None:
    request_id = batch.started(tiles=3)
    task = batch.until(request_id, "DONE")
    assert (task["completionPercentage"], task["userAction"]) == (100, "START")
    assert "error" not in task
    names = ["32TPR_0_9", "32TPR_1_9", "32TPR_2_9"]
    assert batch.tiles(request_id) == [f"results/{request_id}/{name}/default.tif" for name in names]
    content = batch.sandbox.read(f"results/{request_id}/32TPR_1_9/default.tif")
    with MemoryFile(content) as file, file.open() as tile:
        assert tile.crs == rasterio.CRS.from_epsg(32632)
        assert tile.bounds == (610_000, 5_000_000, 620_000, 5_010_000)
        assert (tile.width, tile.height, tile.dtypes) == (500, 500, ("float32",))
        ndvi = tile.read(1, masked=True)
        assert -1 <= ndvi.min() < ndvi.max() <= 1
    states = execution(batch, request_id, tmp_path)
    assert states == dict.fromkeys(names, ("DONE", None, True))


def test_cost_is_the_sum_of_the_tiles_or_the_minimum(batch: Batch) -> None:
    batch.sandbox.steer(balance_pu=10_000)
    batch.sandbox.fault("out_of_pu", after_tiles=2)
    request_id = batch.started(tiles=3)
    spent = batch.until(request_id, "STOPPED")["costPU"]
    # Two tiles of 500 x 500, B04 and B08 (dataMask is free), FLOAT32, one sample.
    tile = pricing.tile_units(pixels=500 * 500, bands=2, float32=True, samples=1)
    assert spent == pytest.approx(2 * tile, abs=1e-5)
    batch.sandbox.advance(3600)
    batch.renew()
    batch.accept(request_id, "start")
    assert batch.until(request_id, "DONE")["costPU"] == 100
    assert batch.sandbox.journal()["requests"][request_id]["pu"] == pytest.approx(100)
    assert batch.sandbox.steer()["balance_pu"] == pytest.approx(9_900)


def test_templates_place_outputs_and_files_about_the_request(batch: Batch) -> None:
    script = """//VERSION=3
    function setup() {
      return {input: ["B04"], output: [{id: "a", bands: 1}, {id: "b", bands: 1, sampleType: "UINT16"}]};
    }
    function evaluatePixel(s) { return {a: [s.B04], b: [s.B04 * 10000]}; }
    function updateOutputMetadata(scenes, inputMetadata, outputMetadata) { outputMetadata.userData = {n: 1}; }
    """
    body = batch.body(url="s3://sandbox/mine/<requestId>/all/<outputId>/<tileName>.<format>")
    body["processRequest"]["evalscript"] = script
    tiff, json_ = {"type": "image/tiff"}, {"type": "application/json"}
    body["processRequest"]["output"]["responses"] = [
        {"identifier": "a", "format": tiff},
        {"identifier": "b", "format": tiff},
        {"identifier": "userdata", "format": json_},
    ]
    request_id = batch.create(body)
    batch.accept(request_id, "start")
    batch.until(request_id, "DONE")
    root = f"mine/{request_id}/all"
    assert sorted(batch.sandbox.keys(f"mine/{request_id}/")) == [
        f"{root}/a/32TPR_0_9.tif",
        f"{root}/b/32TPR_0_9.tif",
        f"{root}/execution-{request_id}.sqlite",
        f"{root}/featureManifest-{request_id}.gpkg",
        f"{root}/request-{request_id}.json",
        f"{root}/userdata/32TPR_0_9.json",
    ]


def test_cogs(batch: Batch) -> None:
    body = batch.body()
    body["output"] |= {"cogOutput": True, "cogParameters": {"blockxsize": 64, "blockysize": 64}}
    request_id = batch.create(body)
    batch.accept(request_id, "start")
    batch.until(request_id, "DONE")
    with MemoryFile(batch.sandbox.read(batch.tiles(request_id)[0])) as file, file.open() as tile:
        assert tile.block_shapes == [(64, 64)]
        assert tile.overviews(1)
        assert tile.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_a_role_delivers(batch: Batch) -> None:
    body = batch.body()
    body["output"]["delivery"]["s3"] = {
        "url": "s3://sandbox/results",
        "iamRoleARN": "arn:aws:iam::000000000000:role/sentinelhub-sandbox",
    }
    request_id = batch.create(body)
    batch.accept(request_id, "start")
    batch.until(request_id, "DONE")
    assert len(batch.tiles(request_id)) == 1


@pytest.mark.parametrize(
    ("script", "responses", "message"),
    [
        (
            NDVI.replace('"B04"', '"B99"'),
            ["default"],
            "B99",
        ),
        (NDVI, ["ndvi"], "Output ndvi requested but missing from function setup()"),
        (NDVI.replace("function setup", "function set up"), ["default"], "Failed to evaluate script!"),
    ],
)
def test_a_faulty_evalscript_fails_the_analysis_only(
    batch: Batch, script: str, responses: list[str], message: str
) -> None:
    body = batch.body()
    body["processRequest"]["evalscript"] = script
    body["processRequest"]["output"]["responses"] = [
        {"identifier": identifier, "format": {"type": "image/tiff"}} for identifier in responses
    ]
    request_id = batch.create(body)
    batch.accept(request_id, "analyse")
    task = batch.until(request_id, "FAILED")
    assert message in task["error"]
    for action in ("analyse", "start", "stop"):
        expected = f"Illegal to change userAction from ANALYSE to {action.upper()} with task status FAILED"
        assert error(batch.act(request_id, action), 400)["message"] == expected


def test_an_evalscript_that_throws_makes_fatal_tiles_of_a_request_that_is_done(
    batch: Batch, tmp_path: Path
) -> None:
    body = batch.body(tiles=2)
    # The analysis tries a few pixels only, and finds nothing wrong.
    counting = (
        "let count = 0;\nfunction evaluatePixel(s) {\n  if (++count > 5000) throw new Error('too many');"
    )
    script = NDVI.replace("function evaluatePixel(s) {", counting)
    body["processRequest"]["evalscript"] = script
    request_id = batch.create(body)
    batch.accept(request_id, "start")
    task = batch.until(request_id, "DONE")
    states = execution(batch, request_id, tmp_path)
    assert {state[0] for state in states.values()} == {"FATAL"}
    assert all("too many" in state[1] for state in states.values())
    assert batch.tiles(request_id) == []
    assert task["costPU"] == 100


def test_an_area_without_scenes_has_tiles_without_data(batch: Batch, tmp_path: Path) -> None:
    body = batch.body()
    span = {"from": "2024-06-01T00:00:00Z", "to": "2024-06-01T00:00:01Z"}
    body["processRequest"]["input"]["data"][0]["dataFilter"]["timeRange"] = span
    request_id = batch.create(body)
    batch.accept(request_id, "start")
    batch.until(request_id, "DONE")
    assert execution(batch, request_id, tmp_path) == {"32TPR_0_9": ("DONE", "No data", False)}
    assert batch.tiles(request_id) == []


def test_an_area_outside_the_grid_fails(batch: Batch) -> None:
    request_id = batch.create(input={"type": "tiling-grid", "id": 6, "resolution": 100}, **antarctica(batch))
    batch.accept(request_id, "start")
    assert "No tile" in batch.until(request_id, "FAILED")["error"]


def test_a_continent_of_small_tiles_is_refused_rather_than_computed(batch: Batch) -> None:
    body = batch.body(input={"type": "tiling-grid", "id": 1, "resolution": 10})
    body["processRequest"]["input"]["bounds"] = {"bbox": [-20, 0, 40, 40]}
    request_id = batch.create(body)
    batch.accept(request_id, "start")
    assert "more than 25000 tiles" in batch.until(request_id, "FAILED")["error"]


def test_tiles_too_big_for_the_sandbox_are_refused(batch: Batch) -> None:
    request_id = batch.started(input={"type": "tiling-grid", "id": 3, "resolution": 0.0001})
    assert "up to 30000000 pixels" in batch.until(request_id, "FAILED")["error"]


def antarctica(batch: Batch) -> Json:
    """Return a change of the body: an area where the European grids have no tiles."""
    process = batch.body()["processRequest"]
    process["input"]["bounds"] = {"bbox": [0, -80, 1, -79]}
    return {"processRequest": process}


# -- stops and restarts


def test_a_stop_keeps_what_is_done_and_a_restart_does_the_rest(batch: Batch, tmp_path: Path) -> None:
    batch.sandbox.steer(processing={"tile_seconds": 1000})
    request_id = batch.started(tiles=4)
    batch.until(request_id, "PROCESSING")
    batch.sandbox.advance(2001)
    batch.renew()
    half = batch.until_percent(request_id, 50)
    assert half["costPU"] > 0
    first = batch.tiles(request_id)
    batch.accept(request_id, "stop")
    stopped = batch.until(request_id, "STOPPED")
    assert (stopped["stoppedStatusReason"], stopped["userAction"]) == ("USER_ACTION", "STOP")
    assert stopped["completionPercentage"] == 50
    assert batch.tiles(request_id) == first
    states = execution(batch, request_id, tmp_path)
    assert sorted(state[0] for state in states.values()) == ["DONE", "DONE", "PENDING", "PENDING"]

    assert "30 minutes" in error(batch.act(request_id, "start"), 400)["message"]
    batch.sandbox.advance(1795)
    error(batch.act(request_id, "start"), 400)
    batch.sandbox.advance(5)
    batch.sandbox.steer(processing={"seconds": 0})
    before = batch.sandbox.s3_client().head_object(Bucket="sandbox", Key=first[0])["LastModified"]
    batch.accept(request_id, "start")
    done = batch.until(request_id, "DONE")
    assert "stoppedStatusReason" not in done
    assert len(batch.tiles(request_id)) == 4
    assert batch.sandbox.s3_client().head_object(Bucket="sandbox", Key=first[0])["LastModified"] == before
    counts = batch.sandbox.journal()["requests"][request_id]
    assert (counts["starts"], counts["stops"]) == (2, 1)


def test_a_stop_during_analysis_lets_it_complete(batch: Batch) -> None:
    batch.sandbox.steer(analysis={"seconds": 1000})
    request_id = batch.started()
    batch.until(request_id, "ANALYSING")
    batch.accept(request_id, "stop")
    assert batch.get(request_id)["status"] == "ANALYSING"
    batch.sandbox.advance(1001)
    batch.until(request_id, "STOPPED")
    assert batch.sandbox.has(f"results/{request_id}/featureManifest-{request_id}.gpkg")


def test_a_start_after_analysis_and_a_stop_before_processing(batch: Batch) -> None:
    request_id = batch.create()
    batch.accept(request_id, "analyse")
    batch.until(request_id, "ANALYSIS_DONE")
    expected = "Illegal to change userAction from ANALYSE to ANALYSE with task status ANALYSIS_DONE"
    assert error(batch.act(request_id, "analyse"), 400)["message"] == expected
    batch.accept(request_id, "stop")
    assert batch.until(request_id, "STOPPED")["completionPercentage"] == 0
    batch.sandbox.advance(1800)
    batch.renew()
    batch.accept(request_id, "start")
    batch.until(request_id, "DONE")


def test_an_account_that_runs_dry_stops_processing_for_an_hour(batch: Batch) -> None:
    batch.sandbox.steer(processing={"tile_seconds": 100})
    request_id = batch.started(tiles=3)
    batch.until(request_id, "PROCESSING")
    batch.sandbox.steer(balance_pu=10)
    task = batch.until(request_id, "STOPPED")
    assert (task["stoppedStatusReason"], task["userAction"]) == ("OUT_OF_PU", "START")
    batch.sandbox.steer(balance_pu=10_000, processing={"seconds": 0})
    batch.sandbox.advance(1801)
    assert "60 minutes" in error(batch.act(request_id, "start"), 400)["message"]
    batch.sandbox.advance(1800)
    batch.renew()
    batch.accept(request_id, "start")
    batch.until(request_id, "DONE")


# -- existing files


@pytest.mark.parametrize(
    ("options", "tiles", "status"),
    [
        ({}, 1, "FAILED"),
        ({"overwrite": True}, 1, "DONE"),
        ({"skipExisting": True}, 1, "DONE"),
        ({"skipExisting": True}, 2, "DONE"),
    ],
)
def test_existing_files(batch: Batch, options: Json, tiles: int, status: str) -> None:
    root = f"existing-{status}-{tiles}-{'-'.join(options)}"
    url = f"s3://sandbox/{root}/<tileName>/<outputId>.tif"
    first = batch.started(url=url)
    batch.until(first, "DONE")
    [key] = [key for key in batch.sandbox.keys(f"{root}/") if key.endswith(".tif")]
    before = batch.sandbox.s3_client().head_object(Bucket="sandbox", Key=key)
    body = batch.body(tiles=tiles, url=url)
    body["output"] |= options
    second = batch.create(body)
    batch.accept(second, "start")
    task = batch.until(second, status)
    after = batch.sandbox.s3_client().head_object(Bucket="sandbox", Key=key)
    if status == "FAILED":
        assert "already exists" in task["error"]
    if options != {"overwrite": True}:
        assert after["LastModified"] == before["LastModified"]
    # With nothing left to do, the analysis itself ends in DONE, for nothing.
    assert task["costPU"] == (0 if tiles == 1 and "overwrite" not in options else 100)


def test_partly_existing_outputs_fail_unless_overwritten(batch: Batch) -> None:
    script = """//VERSION=3
    function setup() { return {input: ["B04"], output: [{id: "a", bands: 1}, {id: "b", bands: 1}]}; }
    function evaluatePixel(s) { return {a: [s.B04], b: [s.B04]}; }
    """
    body = batch.body(url="s3://sandbox/partly/<tileName>/<outputId>.tif")
    body["processRequest"]["evalscript"] = script
    body["processRequest"]["output"]["responses"] = [
        {"identifier": identifier, "format": {"type": "image/tiff"}} for identifier in "ab"
    ]
    body["output"]["skipExisting"] = True
    batch.sandbox.s3_client().put_object(Bucket="sandbox", Key="partly/32TPR_0_9/a.tif", Body=b"mine")
    request_id = batch.create(body)
    batch.accept(request_id, "start")
    assert "already exists" in batch.until(request_id, "FAILED")["error"]
    body["output"]["overwrite"] = True
    request_id = batch.create(body)
    batch.accept(request_id, "start")
    batch.until(request_id, "DONE")
    assert batch.sandbox.read("partly/32TPR_0_9/a.tif") != b"mine"
