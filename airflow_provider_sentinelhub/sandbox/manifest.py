"""The two files the service keeps beside its results: what it will write, and how far it is.

Both are written whole, with the standard library's SQLite; table and column names are documented.
"""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from pyproj import CRS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry


@dataclass(frozen=True)
class Feature:
    """One output of one tile or GeoPackage feature.

    `width` and `height` are pixels without the buffer, and `geometry` is the tile or feature itself, in
    `epsg` and without the buffer (assumed). `path` is the URL of the file; for Zarr, of the group.
    """

    output_id: str
    identifier: str
    path: str
    width: int
    height: int
    epsg: int
    geometry: BaseGeometry


@dataclass
class FeatureState:
    """Progress of one tile or GeoPackage feature.

    One without data is DONE, with the error ``No data``. FATAL won't be tried again.
    """

    id: int
    name: str
    status: Literal["PENDING", "DONE", "FATAL"] = "PENDING"
    error: str | None = None
    delivered: bool = False


_GEOPACKAGE = """
PRAGMA application_id = 0x47504B47;
PRAGMA user_version = 10300;
CREATE TABLE gpkg_spatial_ref_sys (
    srs_name TEXT NOT NULL,
    srs_id INTEGER NOT NULL PRIMARY KEY,
    organization TEXT NOT NULL,
    organization_coordsys_id INTEGER NOT NULL,
    definition TEXT NOT NULL,
    description TEXT
);
CREATE TABLE gpkg_contents (
    table_name TEXT NOT NULL PRIMARY KEY,
    data_type TEXT NOT NULL,
    identifier TEXT UNIQUE,
    description TEXT DEFAULT '',
    last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    min_x DOUBLE,
    min_y DOUBLE,
    max_x DOUBLE,
    max_y DOUBLE,
    srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id)
);
CREATE TABLE gpkg_geometry_columns (
    table_name TEXT NOT NULL UNIQUE REFERENCES gpkg_contents(table_name),
    column_name TEXT NOT NULL,
    geometry_type_name TEXT NOT NULL,
    srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys(srs_id),
    z TINYINT NOT NULL,
    m TINYINT NOT NULL,
    PRIMARY KEY (table_name, column_name)
);
INSERT INTO gpkg_spatial_ref_sys VALUES
    ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', NULL),
    ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', NULL);
"""

_LAYER = """
CREATE TABLE feature_{epsg} (
    fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    outputId TEXT,
    identifier TEXT,
    path TEXT,
    width INTEGER,
    height INTEGER,
    geometry GEOMETRY
)
"""

_INSERT = """
INSERT INTO feature_{epsg} (outputId, identifier, path, width, height, geometry) VALUES (?, ?, ?, ?, ?, ?)
"""

_STATES = """
CREATE TABLE features (
    id INTEGER PRIMARY KEY,
    name TEXT,
    status TEXT,
    error TEXT,
    delivered BOOLEAN
)
"""


def write_feature_manifest(path: Path, features: Iterable[Feature]) -> None:
    """Write ``featureManifest-<id>.gpkg``: a GeoPackage with a layer ``feature_<epsg>`` for each CRS.

    Replaces the file; memory doesn't grow with the number of features.
    """
    layers: dict[int, tuple[float, float, float, float]] = {}
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_GEOPACKAGE)
        _add_crs(database, 4326)
        for feature in features:
            bounds = feature.geometry.bounds
            if feature.epsg not in layers:
                _add_crs(database, feature.epsg)
                database.execute(_LAYER.format(epsg=feature.epsg))
                layers[feature.epsg] = bounds
            layers[feature.epsg] = _both(layers[feature.epsg], bounds)
            row = (feature.output_id, feature.identifier, feature.path, feature.width, feature.height)
            database.execute(_INSERT.format(epsg=feature.epsg), (*row, _blob(feature)))
        for epsg, bounds in layers.items():
            _register(database, epsg, bounds)


def write_execution_database(path: Path, states: Iterable[FeatureState]) -> None:
    """Write ``execution-<id>.sqlite``, replacing the file: a table ``features`` with a row for each."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(_STATES)
        rows = ((state.id, state.name, state.status, state.error, state.delivered) for state in states)
        database.executemany("INSERT INTO features VALUES (?, ?, ?, ?, ?)", rows)


def _add_crs(database: sqlite3.Connection, epsg: int) -> None:
    name, definition = _crs(epsg)
    row = (name, epsg, "EPSG", epsg, definition, None)
    database.execute("INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", row)


@cache
def _crs(epsg: int) -> tuple[str, str]:
    crs = CRS.from_epsg(epsg)
    return crs.name, crs.to_wkt("WKT1_GDAL")


def _register(database: sqlite3.Connection, epsg: int, bounds: tuple[float, float, float, float]) -> None:
    table = f"feature_{epsg}"
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, min_x, min_y, max_x, max_y, srs_id)"
        " VALUES (?, 'features', ?, ?, ?, ?, ?, ?)",
        (table, table, *bounds, epsg),
    )
    database.execute(
        "INSERT INTO gpkg_geometry_columns VALUES (?, 'geometry', 'GEOMETRY', ?, 0, 0)", (table, epsg)
    )


def _both(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def _blob(feature: Feature) -> bytes:
    """Geometry as a GeoPackage keeps it: a header with the envelope (x before y, all x first), then WKB."""
    west, south, east, north = feature.geometry.bounds
    header = struct.pack("<2sBBi4d", b"GP", 0, 0b11, feature.epsg, west, east, south, north)
    return header + feature.geometry.wkb
