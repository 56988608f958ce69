"""Requests for the features of a GeoPackage, from the file in the bucket to the tiles."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from rasterio.io import MemoryFile
from sandbox.batch_calls import Batch, Json, put, violations
from sandbox.geopackages import Layer, write_geopackage
from shapely import affinity
from shapely.geometry import MultiPolygon, Point, Polygon, box

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_driver import Sandbox

FIELD = box(610_000, 5_000_000, 610_640, 5_000_320)
TRIANGLE = Polygon([(612_000, 5_000_000), (612_640, 5_000_000), (612_000, 5_000_640)])
URL = "s3://sandbox/inputs/fields.gpkg"


def row(
    identifier: Any = "field", geometry: Any = FIELD, width: Any = 64, height: Any = 32, **more: Any
) -> Json:
    return {"identifier": identifier, "geometry": geometry, "width": width, "height": height, **more}


def upload(batch: Batch, path: Path, *layers: Layer, **options: Any) -> None:
    """Write a GeoPackage and put it into the bucket."""
    write_geopackage(path / "fields.gpkg", *layers, **options)
    batch.sandbox.s3_client().upload_file(
        str(path / "fields.gpkg"), batch.sandbox.bucket, "inputs/fields.gpkg"
    )


def body(batch: Batch, *, bounds: Json | None = None, url: str | None = None, **source: Any) -> Json:
    """Return a create body for the GeoPackage."""
    features = {"s3": batch.delivery(URL)}
    result = batch.body(input={"type": "geopackage", "features": features, **source}, url=url)
    del result["processRequest"]["input"]["bounds"]
    if bounds:
        result["processRequest"]["input"]["bounds"] = bounds
    return result


def done(batch: Batch, request: Json) -> Json:
    """Run a request to its end."""
    return batch.until(batch.started(body=request), "DONE")


def refused(batch: Batch, request: Json) -> str:
    """Analyse a request that must fail; returns its error."""
    request_id = batch.create(request)
    batch.accept(request_id, "analyse")
    return str(batch.until(request_id, "FAILED")["error"])


def names(batch: Batch, task: Json) -> list[str]:
    """Return the names of the tiles delivered."""
    return [key.split("/")[-2] for key in batch.tiles(task["id"])]


def raster(batch: Batch, task: Json, name: str) -> Any:
    content = batch.sandbox.read(f"results/{task['id']}/{name}/default.tif")
    with MemoryFile(content) as file, file.open() as dataset:
        return dataset.crs.to_epsg(), dataset.bounds, dataset.read(1)


def table(batch: Batch, key: str, query: str, path: Path) -> list[Any]:
    """Query one of the files beside the tiles."""
    (path / "table").write_bytes(batch.sandbox.read(key))
    with closing(sqlite3.connect(path / "table")) as database:
        return database.execute(query).fetchall()


def test_a_feature_that_is_its_box_is_wholly_inside(batch: Batch, tmp_path: Path) -> None:
    upload(batch, tmp_path, Layer([row()]))
    epsg, bounds, pixels = raster(batch, done(batch, body(batch)), "field")
    assert (epsg, tuple(bounds), pixels.shape) == (32632, FIELD.bounds, (32, 64))
    assert (pixels == pixels).all()


def test_outside_the_polygon_there_is_no_data(batch: Batch, tmp_path: Path) -> None:
    both = MultiPolygon([TRIANGLE, affinity.translate(TRIANGLE, 1000, 0)])
    upload(batch, tmp_path, Layer([row("half", TRIANGLE, 64, 64), row("two", both, 164, 64)]))
    task = done(batch, body(batch))
    for name, geometry in (("half", TRIANGLE), ("two", both)):
        _, bounds, pixels = raster(batch, task, name)
        assert tuple(bounds) == geometry.bounds
        centres = [
            [Point(bounds.left + 10 * x + 5, bounds.top - 10 * y - 5) for x in range(pixels.shape[1])]
            for y in range(pixels.shape[0])
        ]
        # A centre on the very edge may count or not.
        differing = [
            point
            for line, values in zip(centres, pixels, strict=True)
            for point, value in zip(line, values, strict=True)
            if geometry.covers(point) == (value != value) and geometry.boundary.distance(point) > 0.01
        ]
        assert differing == []


def test_manifest_and_execution_database_tell_of_the_features(batch: Batch, tmp_path: Path) -> None:
    south = box(400_000, 9_100_000, 400_400, 9_100_400)
    upload(
        batch,
        tmp_path,
        Layer([row("a"), row("b", TRIANGLE)], table="north"),
        Layer([row("c", south)], epsg=32733, table="south"),
    )
    task = done(batch, body(batch))
    assert names(batch, task) == ["a", "b", "c"]
    assert raster(batch, task, "c")[:2] == (32733, south.bounds)
    root = f"results/{task['id']}"
    columns = "outputId, identifier, path, width, height"
    manifest = f"{root}/featureManifest-{task['id']}.gpkg"
    found = table(batch, manifest, f"SELECT {columns}, geometry FROM feature_32632", tmp_path)
    uri = f"s3://sandbox/{root}/b/default.tif"
    assert found[1][:5] == ("default", "b", uri, 64, 32)
    assert found[1][5].endswith(TRIANGLE.wkb)
    assert [
        line[:2] for line in table(batch, manifest, f"SELECT {columns} FROM feature_32733", tmp_path)
    ] == [("default", "c")]
    states = table(batch, f"{root}/execution-{task['id']}.sqlite", "SELECT * FROM features", tmp_path)
    assert states == [(number, name, "DONE", None, 1) for number, name in ((1, "a"), (2, "b"), (3, "c"))]


@pytest.mark.parametrize("kind", ["INTEGER", None])
def test_the_primary_key_may_be_called_fid(batch: Batch, tmp_path: Path, kind: str | None) -> None:
    """As geopandas writes it: ``fid``, and ``id`` a plain column."""
    columns = {"fid": "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL", "geom": "MULTIPOLYGON", "geometry": None}
    rows = [{"id": 7, "identifier": "x", "geom": FIELD, "width": 8, "height": 4}]
    if kind is None:
        rows[0].pop("id")
    upload(batch, tmp_path, Layer(rows, columns={**columns, "id": kind}))
    if kind is None:
        assert refused(batch, body(batch)) == "Table 'features' has no column 'id'."
    else:
        assert names(batch, done(batch, body(batch))) == ["x"]


@pytest.mark.parametrize(
    ("own", "defaults", "size"),
    [
        ((64, 32, None), {}, (64, 32)),
        ((None, None, 10.0), {}, (64, 32)),
        ((None, None, 30.0), {}, (21, 11)),
        ((16, 8, 10.0), {}, (16, 8)),
        ((None, None, None), {"width": 6, "height": 3}, (6, 3)),
        ((None, None, None), {"resolution": 20}, (32, 16)),
        ((None, None, 10.0), {"width": 6, "height": 3}, (64, 32)),
        ((6, None, None), {"width": 5, "height": 3}, (6, 3)),
    ],
)
def test_sizes(
    batch: Batch, tmp_path: Path, own: tuple[Any, Any, Any], defaults: Json, size: tuple[int, int]
) -> None:
    upload(batch, tmp_path, Layer([row("x", FIELD, own[0], own[1], resolution=own[2])]))
    request_id = batch.create(body(batch, defaults=defaults))
    batch.accept(request_id, "analyse")
    batch.until(request_id, "ANALYSIS_DONE")
    key = f"results/{request_id}/featureManifest-{request_id}.gpkg"
    assert table(batch, key, "SELECT width, height FROM feature_32632", tmp_path) == [size]


def test_an_area_picks_the_features_that_it_touches_and_they_are_whole(batch: Batch, tmp_path: Path) -> None:
    layer = [row("in"), row("partly", affinity.translate(FIELD, 700, 0)), row("out", TRIANGLE)]
    upload(batch, tmp_path, Layer(layer))
    utm = {"crs": "http://www.opengis.net/def/crs/EPSG/0/32632"}
    area = {"bbox": [609_900, 4_999_900, 610_800, 5_000_400], "properties": utm}
    task = done(batch, body(batch, bounds=area))
    assert names(batch, task) == ["in", "partly"]
    assert raster(batch, task, "partly")[2].shape == (32, 64)
    assert (raster(batch, task, "partly")[2] == raster(batch, task, "partly")[2]).all()
    elsewhere = body(batch, bounds={"bbox": [0, 0, 1, 1]})
    assert refused(batch, elsewhere) == "No feature of the GeoPackage is to be processed."


def test_whole_features_are_paid_for(batch: Batch, sandbox: Sandbox, tmp_path: Path) -> None:
    upload(batch, tmp_path, Layer([row("a", TRIANGLE, 128, 128), row("b")]))
    sandbox.fault("out_of_pu", after_tiles=1)
    task = batch.until(batch.started(body=body(batch)), "STOPPED")
    # Two input bands, 32 bit, and larger than 10,000 pixels: the batch third counts.
    assert task["costPU"] == pytest.approx(128 * 128 / 512**2 * 2 / 3 * 2 / 3, abs=1e-6)


def test_skip_existing_and_overwrite(batch: Batch, tmp_path: Path) -> None:
    upload(batch, tmp_path, Layer([row("a"), row("b")]))
    url = f"s3://sandbox/kept-{tmp_path.name}/<tileName>_<outputId>.<format>"
    request = body(batch, url=url)
    done(batch, request)
    assert "Output of tile a already exists" in refused(batch, request)
    request["output"]["skipExisting"] = True
    request_id = batch.started(body=request)
    assert batch.until(request_id)["costPU"] == 0
    request["output"].update(skipExisting=False, overwrite=True)
    assert done(batch, request)["costPU"] == 100


BOWTIE = Polygon([(610_000, 5_000_000), (610_100, 5_000_100), (610_100, 5_000_000), (610_000, 5_000_100.5)])


@pytest.mark.parametrize(
    ("layers", "error"),
    [
        ([], "The GeoPackage has no feature table."),
        ([Layer([row()], registered=False)], "not registered in gpkg_geometry_columns"),
        ([Layer([row()], epsg=25832)], "coordinate reference system (EPSG:25832) is not supported"),
        ([Layer([row()], epsg=0)], "coordinate reference system (NONE:0) is not supported"),
        ([Layer([], columns={"identifier": None})], "has no column 'identifier'"),
        ([Layer([row(), row()])], "The identifier 'field' is given more than once"),
        (
            [Layer([row()], table="one"), Layer([row()], table="two", epsg=32633)],
            "The identifier 'field' is given more than once; it must be unique in all tables.",
        ),
        ([Layer([row(None)])], "Table 'features': the feature with id 1 has no identifier."),
        ([Layer([row(id="x")], columns={"id": "TEXT"})], "the id of feature 'field' is not an integer"),
        (
            [Layer([row("a", id=1), row("b", id=1)], columns={"id": "INTEGER"})],
            "id 1 is given more than once",
        ),
        ([Layer([row(geometry=None)])], "Feature 'field' has no geometry."),
        ([Layer([row(geometry=FIELD.wkb)])], "The geometry of feature 'field' cannot be read"),
        ([Layer([row(geometry=FIELD.exterior)])], "feature 'field' is not a Polygon or MultiPolygon"),
        ([Layer([row(geometry=BOWTIE)])], "feature 'field' is not valid: Self-intersection"),
        ([Layer([row(geometry=FIELD)], epsg=4326)], "lies outside the area of EPSG:4326"),
        ([Layer([row(width=None)])], "Feature 'field' has neither width and height nor a resolution"),
        ([Layer([row(width=0)])], "The width of feature 'field' must be a whole number above 0, not 0."),
        ([Layer([row(height=2.5)])], "The height of feature 'field' must be a whole number above 0"),
        ([Layer([row(width=None, resolution=-1.0)])], "The resolution of feature 'field' must be a number"),
        ([Layer([row(width=3501)])], "Feature 'field' is too large: 3501 x 32 pixels"),
        ([Layer([row(width=None, resolution=0.1)])], "Feature 'field' is too large: 6400 x 3200 pixels"),
        ([Layer([])], "No feature of the GeoPackage is to be processed."),
    ],
)
def test_a_fault_of_the_file_is_named(batch: Batch, tmp_path: Path, layers: list[Layer], error: str) -> None:
    upload(batch, tmp_path, *layers)
    assert error in refused(batch, body(batch))


def test_what_is_not_a_geopackage_is_refused(batch: Batch, tmp_path: Path) -> None:
    upload(batch, tmp_path, Layer([row()]), application_id=0)
    assert "does not have the application id of one" in refused(batch, body(batch))
    client = batch.sandbox.s3_client()
    for content in (b"", b"PK\x03\x04 a shapefile", b"SQLite format 3\0" + b"x" * 2000):
        client.put_object(Bucket=batch.sandbox.bucket, Key="inputs/fields.gpkg", Body=content)
        assert "GeoPackage" in refused(batch, body(batch))


def test_a_file_that_cannot_be_read_is_named(batch: Batch) -> None:
    missing = body(batch)
    missing["input"]["features"]["s3"]["url"] = "s3://sandbox/inputs/missing.gpkg"
    assert "Failed to read s3://sandbox/inputs/missing.gpkg: NoSuchKey" in refused(batch, missing)
    missing["input"]["features"]["s3"]["url"] = "s3://no-such-bucket/x.gpkg"
    assert "Failed to read s3://no-such-bucket/x.gpkg: NoSuchBucket" in refused(batch, missing)
    denied = body(batch)
    denied["input"]["features"]["s3"]["secretAccessKey"] = "wrong"
    assert f"Failed to read {URL}: SignatureDoesNotMatch" in refused(batch, denied)


def test_a_role_reads_it(batch: Batch, tmp_path: Path) -> None:
    upload(batch, tmp_path, Layer([row("x", FIELD, 8, 4)]))
    request = body(batch)
    request["input"]["features"]["s3"] = {
        "url": URL,
        "iamRoleARN": "arn:aws:iam::000000000000:role/sentinelhub-sandbox",
    }
    assert names(batch, done(batch, request)) == ["x"]


def test_credentials_for_the_file_are_masked(batch: Batch) -> None:
    task = batch.get(batch.create(body(batch)))
    assert task["request"]["input"]["features"]["s3"] == {
        "url": URL,
        "accessKey": "*****",
        "secretAccessKey": "*****",
    }
    stored = batch.sandbox.read(f"results/{task['id']}/request-{task['id']}.json")
    assert batch.sandbox.secret_key.encode() not in stored


@pytest.mark.parametrize(
    ("path", "value", "parameter"),
    [
        ("input->features", ..., "input->features"),
        ("input->features", {"gs": {"url": "gs://b/x.gpkg"}}, "input->features"),
        ("input->features->s3->url", "s3://sandbox", "input->features->s3->url"),
        ("input->features->s3->url", "s3://sandbox/<requestId>.gpkg", "input->features->s3->url"),
        ("input->features->s3->accessKey", ..., "input->features->s3"),
        ("input->defaults", 5, "input->defaults"),
        ("input->defaults", {"width": 3501, "height": 5}, "input->defaults->width"),
        ("input->defaults", {"resolution": 0}, "input->defaults->resolution"),
        ("input->defaults", {"resolution": 5, "width": 5}, "input->defaults"),
    ],
)
def test_a_fault_of_the_call_is_named(batch: Batch, path: str, value: Any, parameter: str) -> None:
    answer = batch.call("POST", "/process", json=put(body(batch), path, value))
    assert parameter in violations(answer)


def test_faults_strike_features_by_name(batch: Batch, sandbox: Sandbox, tmp_path: Path) -> None:
    upload(batch, tmp_path, Layer([row(f"f{i}", FIELD, 8, 4) for i in range(6)]))
    sandbox.fault("tile_failure", names=["f4"], error="Lost")
    sandbox.fault("tile_no_data", names=["f2"])
    task = done(batch, body(batch))
    assert names(batch, task) == ["f0", "f1", "f3", "f5"]
    key = f"results/{task['id']}/execution-{task['id']}.sqlite"
    assert table(batch, key, "SELECT name, error FROM features WHERE error NOT NULL", tmp_path) == [
        ("f2", "No data"),
        ("f4", "Lost"),
    ]


def test_a_stop_between_small_features_is_exact(batch: Batch, sandbox: Sandbox, tmp_path: Path) -> None:
    upload(batch, tmp_path, Layer([row(f"f{i}", FIELD, 8, 4) for i in range(12)]))
    sandbox.fault("out_of_pu", after_tiles=5)
    task = batch.until(batch.started(body=body(batch)), "STOPPED")
    assert len(batch.tiles(task["id"])) == 5
    sandbox.advance(3601)
    batch.renew()
    batch.accept(task["id"], "start")
    assert len(batch.tiles(batch.until(task["id"], "DONE")["id"])) == 12


def test_many_small_features(batch: Batch, tmp_path: Path) -> None:
    rows = [row(f"f{i}", affinity.translate(FIELD, 700 * i, 0), 8, 4) for i in range(150)]
    upload(batch, tmp_path, Layer(rows))
    task = done(batch, body(batch))
    assert sorted(names(batch, task)) == sorted(f"f{i}" for i in range(150))
