"""GeoPackages to test with, written as the service's documentation describes them, or with a fault."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shapely.geometry.base import BaseGeometry

# Of the file, in the order in which the rows of a layer are given.
COLUMNS = {
    "id": "INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL",
    "identifier": "TEXT",
    "geometry": "POLYGON",
    "width": "INTEGER",
    "height": "INTEGER",
    "resolution": "REAL",
}
_FORM = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT, srs_id INTEGER PRIMARY KEY, organization TEXT,
    organization_coordsys_id INTEGER, definition TEXT, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT PRIMARY KEY, data_type TEXT, identifier TEXT, srs_id INTEGER);
CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, geometry_type_name TEXT,
    srs_id INTEGER, z TINYINT, m TINYINT);
INSERT INTO gpkg_spatial_ref_sys VALUES ('Undefined', 0, 'NONE', 0, 'undefined', NULL);
"""


@dataclass
class Layer:
    """A feature table; `columns` are added to those of `COLUMNS`, or left out where they are None.

    The keys of `rows` name columns; a geometry is put into GeoPackage's form.
    """

    rows: Sequence[dict[str, Any]]
    epsg: int = 32632
    table: str = "features"
    columns: dict[str, str | None] = field(default_factory=dict)
    registered: bool = True


def write_geopackage(path: Path, *layers: Layer, application_id: int = 0x47504B47) -> Path:
    """Write a file, and return its path."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"PRAGMA application_id = {application_id}")
        database.executescript(_FORM)
        for layer in layers:
            _write(database, layer)
    return path


def _write(database: sqlite3.Connection, layer: Layer) -> None:
    columns = {name: kind for name, kind in {**COLUMNS, **layer.columns}.items() if kind is not None}
    declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    database.execute(f'CREATE TABLE "{layer.table}" ({declared})')
    database.execute(
        "INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES ('', ?, 'EPSG', ?, '', NULL)",
        (layer.epsg, layer.epsg),
    )
    database.execute(
        "INSERT INTO gpkg_contents VALUES (?, 'features', ?, ?)", (layer.table,) * 2 + (layer.epsg,)
    )
    if layer.registered:
        geometry = "geometry" if "geometry" in columns else "geom"
        database.execute(
            "INSERT INTO gpkg_geometry_columns VALUES (?, ?, 'GEOMETRY', ?, 0, 0)",
            (layer.table, geometry, layer.epsg),
        )
    for row in layer.rows:
        names = ", ".join(f'"{name}"' for name in row)
        values = [value if isinstance(value, _PLAIN) else blob(value, layer.epsg) for value in row.values()]
        marks = ", ".join("?" * len(row))
        database.execute(f'INSERT INTO "{layer.table}" ({names}) VALUES ({marks})', values)


_PLAIN = (str, int, float, bytes, type(None))


def blob(geometry: BaseGeometry, epsg: int) -> bytes:
    """Return a geometry in GeoPackage's form, with an envelope."""
    west, south, east, north = geometry.bounds
    header = struct.pack("<2sBBi4d", b"GP", 0, 0b11, epsg, west, east, south, north)
    return header + bytes(geometry.wkb)
