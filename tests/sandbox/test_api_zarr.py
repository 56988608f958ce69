"""Zarr output: refusals, the group on the bucket, and pixels that agree with the same request's GeoTIFFs."""

from __future__ import annotations

import copy
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import zarr
from rasterio.io import MemoryFile
from sandbox.batch_calls import NDVI, Batch, Json, violations

SCRIPT = """//VERSION=3
function setup() {
  return {
    input: ["B04", "B08", "SCL", "dataMask"],
    output: [
      {id: "ndvi", bands: 1, sampleType: "FLOAT32"},
      {id: "classes", bands: 1, sampleType: "UINT8"},
      {id: "both", bands: 2, sampleType: "UINT8"}
    ]
  };
}
function evaluatePixel(s) {
  return {
    ndvi: [s.dataMask ? (s.B08 - s.B04) / (s.B08 + s.B04) : NaN],
    classes: [s.SCL],
    both: [1, 2]
  };
}
"""
DEGREES = {"type": "tiling-grid", "id": 3, "resolution": 0.008}  # tiles of 125 x 125 pixels
METRES = {"type": "tiling-grid", "id": 7, "resolution": 20}  # tiles of 1000 x 1000 pixels
# In N45E010, N45E011 and N46E010, but not in N46E011.
CORNER = [[10.2, 45.2], [11.8, 45.2], [11.8, 45.5], [10.5, 45.5], [10.5, 46.5], [10.2, 46.5], [10.2, 45.2]]
PARAMETERS = {"dtype": "<f4", "chunks": [1, 25, 125], "fill_value": "NaN"}
CLASSES = {"dtype": ">u2", "fill_value": 0, "customAttributes": {"long_name": "scene classes"}}


def body(batch: Batch, url: str = "s3://sandbox/zarr/<requestId>", **output: Any) -> Json:
    """Return a create body for two arrays on three tiles of one degree; ``output`` replaces keys there."""
    request = batch.body(input=DEGREES)
    process = request["processRequest"]
    process["evalscript"] = SCRIPT
    span = {"from": "2024-06-01T00:00:00Z", "to": "2024-06-06T00:00:00Z"}
    process["input"]["data"][0]["dataFilter"]["timeRange"] = span
    process["input"]["bounds"] = {"geometry": {"type": "Polygon", "coordinates": [CORNER]}}
    process["output"]["responses"] = responses("ndvi", "classes")
    request["output"] = {
        "type": "zarr",
        "delivery": {"s3": batch.delivery(url)},
        "group": {"zarr_format": 2},
        "arrayParameters": dict(PARAMETERS),
        "arrayOverrides": {"classes": dict(CLASSES)},
        **output,
    }
    return copy.deepcopy(request)


def responses(*identifiers: str, mime: str = "zarr/array") -> list[Json]:
    return [{"identifier": identifier, "format": {"type": mime}} for identifier in identifiers]


def processed(batch: Batch, request: Json) -> str:
    """Run a request to its end and return its id."""
    request_id = batch.create(request)
    batch.accept(request_id, "start")
    batch.until(request_id, "DONE")
    return request_id


def failed(batch: Batch, request: Json) -> str:
    """Analyse a request that fails at it, and return the error."""
    request_id = batch.create(request)
    batch.accept(request_id, "analyse")
    return str(batch.until(request_id, "FAILED")["error"])


def group_at(batch: Batch, prefix: str, folder: Path) -> Any:
    """Download a group and open it."""
    for key in batch.sandbox.keys(f"{prefix}/"):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(batch.sandbox.read(key))
    return zarr.open_group(str(folder / prefix), mode="r")


def tiffs(batch: Batch, request: Json, *outputs: str) -> dict[str, dict[str, tuple[Any, Any]]]:
    """Run a request for Zarr as one for GeoTIFFs; return pixels and bounds by output and tile."""
    raster = {**request, "output": {"type": "raster", "delivery": {"s3": batch.delivery()}}}
    process = {**request["processRequest"], "output": {"responses": responses(*outputs, mime="image/tiff")}}
    request_id = processed(batch, {**raster, "processRequest": process})
    found: dict[str, dict[str, tuple[Any, Any]]] = {output: {} for output in outputs}
    for key in batch.tiles(request_id):
        _, _, name, output = key.removesuffix(".tif").split("/")
        with MemoryFile(batch.sandbox.read(key)) as file, file.open() as tile:
            found[output][name] = (tile.read(1), tile.bounds)
    return found


def window(group: Any, name: str, bounds: Any) -> Any:
    """Return the pixels of an array whose centres are within bounds, north up."""
    x, y = group["x"][:], group["y"][:]
    columns = np.flatnonzero((x > bounds.left) & (x < bounds.right))
    rows = np.flatnonzero((y > bounds.bottom) & (y < bounds.top))
    pixels = group[name][0, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return pixels if y[0] > y[-1] else pixels[::-1]


def rows(content: bytes, folder: Path, query: str) -> list[tuple[Any, ...]]:
    path = folder / "file.sqlite"
    path.write_bytes(content)
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


# -- what is written


def test_arrays_hold_the_pixels_of_the_tiffs(batch: Batch, tmp_path: Path) -> None:
    request = body(batch)
    request_id = processed(batch, request)
    group = group_at(batch, f"zarr/{request_id}", tmp_path)
    expected = tiffs(batch, request, "ndvi", "classes")
    for name, dtype, fill in (("ndvi", "<f4", np.nan), ("classes", ">u2", 0)):
        assert (group[name].shape, group[name].chunks) == ((1, 250, 250), (1, 25, 125))
        assert group[name].dtype == np.dtype(dtype)
        files = expected[name]
        assert sorted(files) == ["N45E010", "N45E011", "N46E010"]
        for pixels, bounds in files.values():
            assert len(np.unique(pixels)) > 3
            np.testing.assert_array_equal(window(group, name, bounds), pixels)
        np.testing.assert_array_equal(group[name][0, :125, 125:], np.full((125, 125), fill))
    written = set(batch.sandbox.keys(f"zarr/{request_id}/ndvi/"))
    # North-west, south-west, south-east; five rows of chunks each.
    places = [*((row, 0) for row in range(10)), *((row, 1) for row in range(5, 10))]
    chunks = {f"zarr/{request_id}/ndvi/0.{row}.{column}" for row, column in places}
    assert written == chunks | {f"zarr/{request_id}/ndvi/{name}" for name in (".zarray", ".zattrs")}


def test_the_group_says_where_and_what_it_is(batch: Batch, tmp_path: Path) -> None:
    group = {"zarr_format": 2, "customAttributes": {"copyright": "nobody", "crs": "mine"}}
    request_id = processed(batch, body(batch, group=group))
    opened = group_at(batch, f"zarr/{request_id}", tmp_path)
    assert sorted(opened.array_keys()) == ["classes", "ndvi", "time", "x", "y"]
    np.testing.assert_allclose(opened["x"][:], 10 + 0.004 + 0.008 * np.arange(250))
    np.testing.assert_allclose(opened["y"][:], 47 - 0.004 - 0.008 * np.arange(250))
    assert opened["time"][:].tolist() == [1717200000]  # 2024-06-01, where the time range begins
    assert opened["time"].attrs["units"] == "seconds since 1970-01-01T00:00:00Z"
    assert opened["x"].attrs["standard_name"] == "longitude"
    attributes = dict(opened.attrs)
    assert attributes["date_modified"].startswith("20")
    assert (attributes["copyright"], attributes["crs"]) == ("nobody", "mine")
    edges = [attributes[f"geospatial_{edge}"] for edge in ("lon_min", "lon_max", "lat_min", "lat_max")]
    assert edges == pytest.approx([10, 12, 45, 47])
    classes = dict(opened["classes"].attrs)
    assert classes["_ARRAY_DIMENSIONS"] == ["time", "y", "x"]
    assert classes["long_name"] == "scene classes"
    assert rasterio.CRS.from_wkt(classes["_CRS"]["wkt"]) == rasterio.CRS.from_epsg(4326)
    consolidated = zarr.open_consolidated(str(tmp_path / "zarr" / request_id), mode="r")
    np.testing.assert_array_equal(consolidated["classes"][:], opened["classes"][:])


def test_rows_from_the_south_on_a_metric_grid(batch: Batch, tmp_path: Path) -> None:
    request = body(
        batch,
        url="s3://sandbox/plain/south",
        group={"zarr_format": 2, "coordinates": {"origin": "bottomLeft"}},
        arrayParameters={
            "dtype": ">f8",
            "chunks": [1, 250, 500],
            "fill_value": -1,
            "compressor": {"id": "zlib", "level": 1},
        },
        arrayOverrides={},
    )
    request["input"] = METRES
    request["processRequest"]["output"]["responses"] = responses("ndvi")
    request["processRequest"]["input"]["bounds"] = {"bbox": [10.20, 45.19, 10.21, 45.37]}
    processed(batch, request)
    group = group_at(batch, "plain/south", tmp_path)
    y = group["y"][:]
    assert (y[1] - y[0], group["x"].attrs["standard_name"]) == (20, "projection_x_coordinate")
    files = tiffs(batch, request, "ndvi")["ndvi"]
    assert len(files) > 1
    for pixels, bounds in files.values():
        np.testing.assert_array_equal(window(group, "ndvi", bounds), pixels)
    # GDAL finds pixels and their place without being told.
    with rasterio.open(f'ZARR:"{tmp_path / "plain" / "south"}":/ndvi:0') as dataset:
        assert dataset.crs == rasterio.CRS.from_epsg(3035)
        assert dataset.res == (20, 20)
        assert min(bounds.bottom for _, bounds in files.values()) == min(dataset.bounds[1::2])


def test_reports_name_the_group(batch: Batch, tmp_path: Path) -> None:
    request_id = processed(batch, body(batch, url="s3://sandbox/reports/of-<requestId>/"))
    root = f"reports/of-{request_id}"
    files = {key.removeprefix(f"{root}/") for key in batch.sandbox.keys(f"{root}/")}
    names = ("request-{}.json", "featureManifest-{}.gpkg", "execution-{}.sqlite")
    assert {name.format(request_id) for name in names} <= files
    manifest = batch.sandbox.read(f"{root}/featureManifest-{request_id}.gpkg")
    query = "SELECT identifier, outputId, path, width, height FROM feature_4326 ORDER BY fid"
    tiles = ["N45E010", "N45E011", "N46E010"]
    path = f"s3://sandbox/{root}"
    expected = [(tile, output, path, 125, 125) for tile in tiles for output in ("ndvi", "classes")]
    assert rows(manifest, tmp_path, query) == expected
    states = batch.sandbox.read(f"{root}/execution-{request_id}.sqlite")
    query = "SELECT name, status, error, delivered FROM features ORDER BY name"
    assert rows(states, tmp_path, query) == [(tile, "DONE", None, 1) for tile in tiles]


def test_tiles_come_in_any_number_of_runs_and_failed_ones_stay_empty(batch: Batch, tmp_path: Path) -> None:
    batch.sandbox.fault("out_of_pu", after_tiles=1)
    batch.sandbox.fault("tile_failure", names=["N46E010"])
    request = body(batch)
    request_id = batch.create(request)
    batch.accept(request_id, "start")
    batch.until(request_id, "STOPPED")
    batch.sandbox.advance(3600)
    batch.renew()
    batch.accept(request_id, "start")
    batch.until(request_id, "DONE")
    group = group_at(batch, f"zarr/{request_id}", tmp_path)
    assert (group["classes"][0, :125] == 0).all()
    assert (group["classes"][0, 125:] > 0).all()


# -- what is refused


def test_defaults_are_filled_in(batch: Batch) -> None:
    answer = batch.call("POST", "/process", json=body(batch))
    output = answer.json()["request"]["output"]
    assert output["group"]["coordinates"] == {"origin": "topLeft"}
    blosc = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}
    assert output["arrayParameters"] == {**PARAMETERS, "order": "C", "compressor": blosc}
    assert output["arrayOverrides"] == {"classes": CLASSES}


def test_overrides_can_stand_for_all_parameters(batch: Batch) -> None:
    request = body(batch, arrayOverrides={"ndvi": PARAMETERS, "classes": {**PARAMETERS, **CLASSES}})
    del request["output"]["arrayParameters"]
    assert batch.call("POST", "/process", json=request).status_code == 201
    del request["output"]["arrayOverrides"]["classes"]["chunks"]
    refused = violations(batch.call("POST", "/process", json=request))
    assert list(refused) == ["output->arrayParameters->chunks"]
    del request["output"]["arrayOverrides"]
    refused = violations(batch.call("POST", "/process", json=request))
    assert list(refused) == [f"output->arrayParameters->{key}" for key in PARAMETERS]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("dtype", "<u4"),
        ("dtype", 4),
        ("order", "F"),
        ("chunks", [1, 24, 125]),
        ("chunks", [1, 125, 50]),
        ("chunks", [2, 25, 125]),
        ("chunks", [1, 0, 125]),
        ("chunks", [25, 125]),
        ("chunks", 25),
        ("chunks", [1, 1, 1]),
        ("fill_value", "none"),
        ("fill_value", True),
        ("fill_value", [0]),
        ("fill_value", 1e39),
        ("compressor", "blosc"),
        ("compressor->id", "snappy"),
        ("compressor->clevel", 10),
        ("compressor->clevel", 5.5),
        ("compressor->cname", "snappy"),
        ("compressor->speed", 1),
    ],
)
def test_a_faulty_array_parameter_is_named(batch: Batch, parameter: str, value: Any) -> None:
    key, _, inner = parameter.partition("->")
    changed = {"id": "blosc", inner: value} if inner else value
    for place in ("arrayParameters", "arrayOverrides->ndvi"):
        request = body(batch)
        if place == "arrayParameters":
            request["output"][place][key] = changed
        else:
            request["output"]["arrayOverrides"]["ndvi"] = {key: changed}
        refused = violations(batch.call("POST", "/process", json=request))
        assert list(refused) == [f"output->{place}->{parameter}"]


@pytest.mark.parametrize(("dtype", "value"), [("|u1", -1), ("|u1", "NaN"), (">i2", 0.5), ("<i2", 32_768)])
def test_a_fill_value_must_be_a_value_of_the_array(batch: Batch, dtype: str, value: Any) -> None:
    request = body(batch, arrayOverrides={"classes": {"dtype": dtype, "fill_value": value}})
    refused = violations(batch.call("POST", "/process", json=request))
    assert list(refused) == ["output->arrayOverrides->classes->fill_value"]


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"group": ...}, "output->group"),
        ({"group": {}}, "output->group->zarr_format"),
        ({"group": {"zarr_format": 3}}, "output->group->zarr_format"),
        (
            {"group": {"zarr_format": 2, "coordinates": {"origin": "center"}}},
            "output->group->coordinates->origin",
        ),
        ({"group": {"zarr_format": 2, "customAttributes": 1}}, "output->group->customAttributes"),
        ({"arrayParameters": 1}, "output->arrayParameters"),
        ({"arrayOverrides": []}, "output->arrayOverrides"),
        ({"arrayOverrides": {"nobody": {}}}, "output->arrayOverrides->nobody"),
        (
            {"arrayOverrides": {"ndvi": {"customAttributes": 1}}},
            "output->arrayOverrides->ndvi->customAttributes",
        ),
        ({"delivery": ...}, "output->delivery"),
    ],
)
def test_a_fault_of_the_output_is_named(batch: Batch, change: Json, parameter: str) -> None:
    request = body(batch)
    request["output"] = {k: v for k, v in {**request["output"], **change}.items() if v is not ...}
    assert list(violations(batch.call("POST", "/process", json=request))) == [parameter]


@pytest.mark.parametrize("url", ["s3://sandbox/<tileName>", "s3://sandbox/<requestId>/<outputId>.zarr"])
def test_only_the_request_has_a_place_in_the_url(batch: Batch, url: str) -> None:
    refused = violations(batch.call("POST", "/process", json=body(batch, url=url)))
    assert "<requestId>" in refused["output->delivery->s3->url"]


def test_grids_without_a_single_crs_and_buffers_are_refused(batch: Batch) -> None:
    request = body(batch)
    request["input"] = {"type": "tiling-grid", "id": 1, "resolution": 20, "bufferY": 1}
    request["output"]["arrayParameters"]["chunks"] = [1, 100, 100]
    refused = violations(batch.call("POST", "/process", json=request))
    assert list(refused) == ["input->id", "input->bufferY"]
    request["input"] = {"type": "geopackage", "features": {"s3": batch.delivery("s3://sandbox/x.gpkg")}}
    refused = violations(batch.call("POST", "/process", json=request))
    assert refused == {"input->type": "Zarr output needs a tiling grid"}


@pytest.mark.parametrize(
    ("identifier", "mime", "parameter"),
    [
        ("ndvi", "image/tiff", "format->type"),
        ("userdata", "application/json", "format->type"),
        ("userdata", "zarr/array", "identifier"),
        ("time", "zarr/array", "identifier"),
        (".zattrs", "zarr/array", "identifier"),
        (5, "zarr/array", "identifier"),
    ],
)
def test_all_responses_are_arrays(batch: Batch, identifier: Any, mime: str, parameter: str) -> None:
    request = body(batch, arrayOverrides={})
    request["processRequest"]["output"]["responses"] = responses(identifier, mime=mime)
    refused = violations(batch.call("POST", "/process", json=request))
    assert f"processRequest->output->responses[0]->{parameter}" in refused


def test_arrays_are_for_zarr_only(batch: Batch) -> None:
    request = batch.body()
    request["processRequest"]["output"]["responses"] = responses("default")
    refused = violations(batch.call("POST", "/process", json=request))
    assert list(refused) == ["processRequest->output->responses[0]->format->type"]


def test_the_sample_type_must_fit_the_array(batch: Batch) -> None:
    request = body(batch, arrayOverrides={"ndvi": {"dtype": "<i2", "fill_value": 0}})
    assert failed(batch, request) == "Output ndvi has sampleType FLOAT32, which dtype <i2 cannot hold."


def test_an_array_takes_one_band(batch: Batch) -> None:
    request = body(batch, arrayOverrides={})
    request["processRequest"]["output"]["responses"] = responses("both")
    assert failed(batch, request) == "Output both has 2 bands; a Zarr array takes one."


def test_bands_that_come_late_fail_the_tiles(batch: Batch, tmp_path: Path) -> None:
    request = body(batch, arrayOverrides={})
    request["processRequest"]["evalscript"] = NDVI.replace(
        "function setup() {",
        "function updateOutput(outputs) { outputs.default.bands = 2; }\nfunction setup() {",
    )
    request["processRequest"]["output"]["responses"] = responses("default")
    request_id = processed(batch, request)
    states = batch.sandbox.read(f"zarr/{request_id}/execution-{request_id}.sqlite")
    found = set(rows(states, tmp_path, "SELECT status, error FROM features"))
    assert found == {("FATAL", "Output default has 2 bands; a Zarr array takes one.")}


@pytest.mark.parametrize("key", [".zattrs", ".zgroup", ".zmetadata", "folder/file"])
def test_the_folder_must_be_free(batch: Batch, key: str) -> None:
    folder = f"taken/{key.strip('.').replace('/', '-')}"
    batch.sandbox.s3_client().put_object(Bucket="sandbox", Key=f"{folder}/{key}", Body=b"{}")
    error = failed(batch, body(batch, url=f"s3://sandbox/{folder}"))
    assert f"there is s3://sandbox/{folder}/{key}" in error


def test_a_folder_is_used_once_but_other_files_do_not_matter(batch: Batch) -> None:
    batch.sandbox.s3_client().put_object(Bucket="sandbox", Key="once/readme.txt", Body=b"")
    request = body(batch, url="s3://sandbox/once")
    processed(batch, request)
    assert "is not free for a Zarr group" in failed(batch, request)
