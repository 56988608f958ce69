"""The feature manifest and the execution database, read back without the code that wrote them."""

from __future__ import annotations

import sqlite3
import struct
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import shapely
from pyproj import CRS
from shapely import MultiPolygon, box

from airflow_provider_sentinelhub.sandbox.grids import SUPPORTED_CRS
from airflow_provider_sentinelhub.sandbox.manifest import (
    Feature,
    FeatureState,
    write_execution_database,
    write_feature_manifest,
)

if TYPE_CHECKING:
    from pathlib import Path

TILE = Feature(
    "NDVI", "33TWM_0_0", "s3://b/33TWM_0_0/NDVI.tif", 1000, 500, 32633, box(499_980, 10, 520_020, 20)
)
FIELD = Feature(
    "userdata",
    "field 1",
    "s3://b/field 1/userdata.json",
    7,
    8,
    4326,
    MultiPolygon([box(1, 2, 3, 4), box(7, 8, 9, 10)]),
)


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql).fetchall()


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "featureManifest-1.gpkg"
    write_feature_manifest(path, [TILE, FIELD, TILE])
    return path


def test_it_is_a_geopackage(manifest: Path) -> None:
    """Requirements of the OGC standard: application id, version, tables, and what they refer to."""
    assert manifest.read_bytes()[:16] == b"SQLite format 3\0"
    assert manifest.read_bytes()[68:72] == b"GPKG"
    assert query(manifest, "PRAGMA user_version") == [(10300,)]
    assert query(manifest, "PRAGMA integrity_check") == [("ok",)]
    assert query(manifest, "PRAGMA foreign_key_check") == []
    assert {row[0] for row in query(manifest, "SELECT srs_id FROM gpkg_spatial_ref_sys")} == {
        -1,
        0,
        4326,
        32633,
    }
    assert query(
        manifest,
        "SELECT table_name, data_type, min_x, min_y, max_x, max_y, srs_id FROM gpkg_contents ORDER BY srs_id",
    ) == [
        ("feature_4326", "features", 1, 2, 9, 10, 4326),
        ("feature_32633", "features", 499_980, 10, 520_020, 20, 32633),
    ]
    assert query(manifest, "SELECT * FROM gpkg_geometry_columns ORDER BY srs_id") == [
        ("feature_4326", "geometry", "GEOMETRY", 4326, 0, 0),
        ("feature_32633", "geometry", "GEOMETRY", 32633, 0, 0),
    ]


def test_columns(manifest: Path) -> None:
    columns = [(row[1], row[2], row[5]) for row in query(manifest, "PRAGMA table_info(feature_32633)")]
    assert columns == [
        ("fid", "INTEGER", 1),
        ("outputId", "TEXT", 0),
        ("identifier", "TEXT", 0),
        ("path", "TEXT", 0),
        ("width", "INTEGER", 0),
        ("height", "INTEGER", 0),
        ("geometry", "GEOMETRY", 0),
    ]


def test_rows(manifest: Path) -> None:
    columns = "fid, outputId, identifier, path, width, height"
    assert query(manifest, f"SELECT {columns} FROM feature_32633") == [
        (1, "NDVI", "33TWM_0_0", "s3://b/33TWM_0_0/NDVI.tif", 1000, 500),
        (2, "NDVI", "33TWM_0_0", "s3://b/33TWM_0_0/NDVI.tif", 1000, 500),
    ]
    assert query(manifest, f"SELECT {columns} FROM feature_4326") == [
        (1, "userdata", "field 1", "s3://b/field 1/userdata.json", 7, 8)
    ]


@pytest.mark.parametrize("feature", [TILE, FIELD])
def test_geometries(manifest: Path, feature: Feature) -> None:
    [(blob,)] = query(manifest, f"SELECT geometry FROM feature_{feature.epsg} WHERE fid = 1")
    assert isinstance(blob, bytes)
    magic, version, flags, srs, *envelope = struct.unpack("<2sBBi4d", blob[:40])
    assert (magic, version, flags, srs) == (b"GP", 0, 3, feature.epsg)
    west, south, east, north = feature.geometry.bounds
    assert envelope == [west, east, south, north]
    assert shapely.from_wkb(blob[40:]).equals(feature.geometry)


def test_definitions_of_every_supported_crs(tmp_path: Path) -> None:
    path = tmp_path / "all.gpkg"
    write_feature_manifest(
        path, [Feature("a", str(epsg), "s3://b/a", 1, 1, epsg, box(0, 0, 1, 1)) for epsg in SUPPORTED_CRS]
    )
    rows = query(
        path, "SELECT srs_id, organization_coordsys_id, definition FROM gpkg_spatial_ref_sys WHERE srs_id > 0"
    )
    assert {row[0] for row in rows} == SUPPORTED_CRS
    for code, number, definition in rows:
        assert code == number
        assert CRS.from_wkt(str(definition)).name == CRS.from_epsg(int(str(code))).name
        assert str(definition).endswith(f'AUTHORITY["EPSG","{code}"]]')


def test_it_replaces_the_file(manifest: Path) -> None:
    write_feature_manifest(manifest, [FIELD])
    assert query(manifest, "SELECT table_name FROM gpkg_contents") == [("feature_4326",)]
    assert [path.name for path in manifest.parent.iterdir()] == [manifest.name]


def test_a_hundred_thousand_features(tmp_path: Path) -> None:
    start = time.process_time()
    write_feature_manifest(tmp_path / "many.gpkg", (TILE for _ in range(100_000)))
    assert time.process_time() - start < 10
    assert query(tmp_path / "many.gpkg", "SELECT count(*) FROM feature_32633") == [(100_000,)]


def test_execution_database(tmp_path: Path) -> None:
    path = tmp_path / "execution-1.sqlite"
    states = [
        FeatureState(7, "33TWM_0_0", "DONE", delivered=True),
        FeatureState(8, "33TWM_0_1", "DONE", "No data"),
        FeatureState(9, "33TWM_0_2", "FATAL", "Failed 3 times"),
        FeatureState(10, "33TWM_0_3"),
    ]
    write_execution_database(path, [])
    write_execution_database(path, states)
    assert [(row[1], row[2]) for row in query(path, "PRAGMA table_info(features)")] == [
        ("id", "INTEGER"),
        ("name", "TEXT"),
        ("status", "TEXT"),
        ("error", "TEXT"),
        ("delivered", "BOOLEAN"),
    ]
    assert query(path, "SELECT * FROM features") == [
        (7, "33TWM_0_0", "DONE", None, 1),
        (8, "33TWM_0_1", "DONE", "No data", 0),
        (9, "33TWM_0_2", "FATAL", "Failed 3 times", 0),
        (10, "33TWM_0_3", "PENDING", None, 0),
    ]
