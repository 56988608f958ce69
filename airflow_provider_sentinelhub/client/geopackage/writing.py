"""Writing a GeoPackage (OGC 12-128, version 1.3), one feature at a time."""

from __future__ import annotations

import os
import sqlite3
import struct
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.crs import crs_url, epsg, wkt
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.geopackage.feature import MAX_FEATURES, Feature

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NAMED = 100  # faults that are told one by one

_EMPTY = """
PRAGMA application_id = 0x47504B47;
PRAGMA user_version = 10300;
PRAGMA journal_mode = OFF;
PRAGMA temp_store = FILE;
CREATE TABLE gpkg_spatial_ref_sys (
    srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
    organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (
    table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
    description TEXT DEFAULT '',
    last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
    srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (
    table_name TEXT NOT NULL UNIQUE REFERENCES gpkg_contents(table_name), column_name TEXT NOT NULL,
    geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL REFERENCES gpkg_spatial_ref_sys(srs_id),
    z TINYINT NOT NULL, m TINYINT NOT NULL, PRIMARY KEY (table_name, column_name));
INSERT INTO gpkg_spatial_ref_sys VALUES
    ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', NULL),
    ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', NULL);
CREATE TEMP TABLE seen (identifier TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_LAYER = """
CREATE TABLE features_{code} (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geometry MULTIPOLYGON NOT NULL,
    identifier TEXT NOT NULL UNIQUE, width INTEGER, height INTEGER, resolution REAL)
"""
_FEATURE = "INSERT INTO features_{code} VALUES (?, ?, ?, ?, ?, ?)"
_MULTIPOLYGON_OF_ONE = struct.pack("<BII", 1, 6, 1)  # WKB: little-endian, its type, its count
_CONTENTS = """
INSERT INTO gpkg_contents (table_name, data_type, identifier, min_x, min_y, max_x, max_y, srs_id)
VALUES (:table, 'features', :table, :west, :south, :east, :north, :code)
"""


def write_geopackage(
    path: str | os.PathLike[str],
    features: Iterable[Feature],
    *,
    width: int | None = None,
    height: int | None = None,
    resolution: float | None = None,
) -> int:
    """Write features to a file and return how many; memory does not grow with their number.

    ``width``, ``height`` and ``resolution`` are for features that say nothing about their size. All are
    checked: `DefinitionError` names what the service would refuse, and the file is left as it was.
    """
    draft = Path(f"{os.fspath(path)}.part")
    draft.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(draft)) as database, database:
            database.executescript(_EMPTY)
            writer = _Writer(database)
            for feature in features:
                sized = feature.sized
                writer.add(
                    feature if sized else replace(feature, width=width, height=height, resolution=resolution)
                )
            writer.finish()
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return writer.count


class _Writer:
    def __init__(self, database: sqlite3.Connection) -> None:
        self.count = 0
        self._database = database
        self._extents: dict[int, tuple[float, float, float, float]] = {}
        self._faults: list[Fault] = []
        self._more = 0
        self._add_crs(4326)

    def add(self, feature: Feature) -> None:
        self.count += 1
        found = list(self._found(feature))
        self._faults += found[: max(_NAMED - len(self._faults), 0)]
        self._more += len(found)
        if self.count > MAX_FEATURES:
            problem = f"there are more than {MAX_FEATURES}, the most that the service takes"
            self._faults.append(Fault("features", problem, "Make several files and requests of them"))
            self._more += 1
            self._raise()
        if not self._faults:
            self._insert(feature, epsg(crs_url(feature.crs)))

    def _found(self, feature: Feature) -> Iterator[Fault]:
        where = (
            f"feature {self.count} ({feature.identifier}), "
            if feature.identifier
            else f"feature {self.count}, "
        )
        for fault in feature.faults():
            yield replace(fault, field=where + fault.field)
        fresh = self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (feature.identifier,))
        if feature.identifier and not fresh.rowcount:
            yield Fault(f"{where}identifier", "is that of an earlier feature", "Give each its own")

    def _insert(self, feature: Feature, code: int) -> None:
        bounds = feature.geometry.bounds
        if code not in self._extents:
            self._add_crs(code)
            self._database.execute(_LAYER.format(code=code))
        other = self._extents.get(code, bounds)
        low, high = map(min, bounds[:2], other[:2]), map(max, bounds[2:], other[2:])
        self._extents[code] = (*low, *high)  # type: ignore[assignment]
        row = (feature.identifier, feature.width, feature.height, feature.resolution)
        blob = _blob(feature, code, bounds)
        self._database.execute(_FEATURE.format(code=code), (self.count, blob, *row))

    def _add_crs(self, code: int) -> None:
        row = (f"EPSG:{code}", code, "EPSG", code, wkt(code), None)
        self._database.execute("INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", row)

    def finish(self) -> None:
        if not self.count:
            self._faults.append(Fault("features", "there are none", "Give at least one"))
        self._raise()
        for code, extent in self._extents.items():
            bounds = dict(zip(("west", "south", "east", "north"), extent, strict=True))
            self._database.execute(_CONTENTS, {"table": f"features_{code}", "code": code, **bounds})
            self._database.execute(
                "INSERT INTO gpkg_geometry_columns VALUES (?, 'geometry', 'MULTIPOLYGON', ?, 0, 0)",
                (f"features_{code}", code),
            )

    def _raise(self) -> None:
        if len(self._faults) < self._more:
            left = f"{self._more - len(self._faults)} more faults were found"
            self._faults.append(Fault("features", left, "Mend the others first"))
        if self._faults:
            raise DefinitionError(self._faults, "GeoPackage")


def _blob(feature: Feature, code: int, bounds: tuple[float, ...]) -> bytes:
    """Return a geometry as a GeoPackage holds it: a header with its extent (all x first), then its WKB."""
    import shapely

    west, south, east, north = bounds
    header = struct.pack("<2sBBi4d", b"GP", 0, 0b11, code, west, east, south, north)
    wkb = shapely.to_wkb(feature.geometry, byte_order=1, output_dimension=2)
    if feature.geometry.geom_type == "Polygon":
        wkb = _MULTIPOLYGON_OF_ONE + wkb
    return header + wkb
