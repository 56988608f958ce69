"""Read a GeoPackage of features to process: its layers, checked, and its rows in bulk.

A GeoPackage is an SQLite file (OGC 12-128r18); the standard library reads it. What the service asks of one is
documented: features of polygons with ``id`` and ``identifier``, one layer for each CRS. Wordings are assumed.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely

from airflow_provider_sentinelhub.sandbox.grids import SUPPORTED_CRS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

MAX_FEATURES = 700_000  # documented

_APPLICATION_IDS = {0x47504B47, 0x47503130, 0x47503131}  # GPKG, and GP10 and GP11 of older versions
_ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
_POLYGON, _MULTI_POLYGON = 3, 6
_SIZES = ("width", "height", "resolution")
_BULK = 5_000


class GeoPackageError(ValueError):
    """The file cannot be processed; the message says what to mend."""


@dataclass(frozen=True)
class Layer:
    """A feature table; `columns` are those of the service's that it has."""

    table: str
    geometry: str
    epsg: int
    columns: frozenset[str]


class Rows(NamedTuple):
    """Some features of a layer; the sizes (width, height, resolution) are as they stand in the file."""

    identifiers: list[str]
    geometries: NDArray[Any]
    sizes: list[tuple[object, object, object]]


class GeoPackage:
    """An opened file. Opening checks all but the single geometries and sizes.

    :raises GeoPackageError: the file is no GeoPackage, or not one that the service takes
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._check_form()
        self.layers = [self._layer(*row) for row in self._feature_tables()]
        self.count = 0
        for layer in self.layers:
            self.count += self._value("SELECT count(*) FROM {}", layer.table)
        if self.count > MAX_FEATURES:
            raise GeoPackageError(
                f"The GeoPackage has {self.count} features; at most {MAX_FEATURES} are allowed."
            )
        for layer in self.layers:
            self._check_keys(layer)
        self._check_identifiers()

    def rows(self, layer: Layer) -> Iterator[Rows]:
        """Yield the features of a layer in the order of its rows.

        :raises GeoPackageError: a geometry is missing or not a polygon
        """
        sizes = ", ".join(_quoted(name) if name in layer.columns else "NULL" for name in _SIZES)
        cursor = self._database.execute(
            f"SELECT identifier, {_quoted(layer.geometry)}, {sizes} FROM {_quoted(layer.table)}"  # noqa: S608
        )
        while rows := cursor.fetchmany(_BULK):
            identifiers = [row[0] for row in rows]
            yield Rows(
                identifiers, _polygons(identifiers, [row[1] for row in rows]), [row[2:] for row in rows]
            )

    def _check_form(self) -> None:
        if self._value("PRAGMA application_id") not in _APPLICATION_IDS:
            raise GeoPackageError("The file is not a GeoPackage: it does not have the application id of one.")
        tables = {row[0] for row in self._database.execute("SELECT name FROM sqlite_master")}
        for table in ("gpkg_contents", "gpkg_geometry_columns", "gpkg_spatial_ref_sys"):
            if table not in tables:
                raise GeoPackageError(f"The file is not a GeoPackage: it has no table {table}.")

    def _feature_tables(self) -> list[tuple[str, str | None, str | None, int | None]]:
        rows = self._database.execute(
            "SELECT c.table_name, g.column_name, s.organization, s.organization_coordsys_id"
            " FROM gpkg_contents c LEFT JOIN gpkg_geometry_columns g ON g.table_name = c.table_name"
            " LEFT JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id"
            " WHERE c.data_type = 'features' ORDER BY c.table_name"
        ).fetchall()
        if not rows:
            raise GeoPackageError("The GeoPackage has no feature table.")
        return rows

    def _layer(self, table: str, geometry: str | None, organization: str | None, epsg: int | None) -> Layer:
        if geometry is None:
            raise GeoPackageError(
                f"Table '{table}': its geometry column is not registered in gpkg_geometry_columns."
            )
        columns = {row[1] for row in self._database.execute(f"PRAGMA table_info({_quoted(table)})")}
        # Column names are the same in upper and lower case, as everywhere in SQLite.
        known = {column.lower() for column in columns}
        for column in ("id", "identifier", geometry):
            if column.lower() not in known:
                raise GeoPackageError(f"Table '{table}' has no column '{column}'.")
        if (organization or "").upper() != "EPSG" or epsg not in SUPPORTED_CRS:
            name = f"{organization}:{epsg}" if organization else "unknown"
            raise GeoPackageError(
                f"Table '{table}': its coordinate reference system ({name}) is not supported."
            )
        return Layer(table, geometry, epsg, frozenset(known & set(_SIZES)))

    def _check_keys(self, layer: Layer) -> None:
        """Look at ``id``: the primary key as documented, or a plain column beside it as seen in the wild."""
        found = self._value("SELECT identifier FROM {} WHERE typeof(id) <> 'integer' LIMIT 1", layer.table)
        if found is not None:
            raise GeoPackageError(f"Table '{layer.table}': the id of feature '{found}' is not an integer.")
        found = self._value("SELECT id FROM {} GROUP BY id HAVING count(*) > 1 LIMIT 1", layer.table)
        if found is not None:
            raise GeoPackageError(f"Table '{layer.table}': id {found} is given more than once.")
        found = self._value(
            "SELECT id FROM {} WHERE typeof(identifier) <> 'text' OR identifier = '' LIMIT 1", layer.table
        )
        if found is not None:
            raise GeoPackageError(f"Table '{layer.table}': the feature with id {found} has no identifier.")

    def _check_identifiers(self) -> None:
        every = " UNION ALL ".join(["SELECT identifier FROM {}"] * len(self.layers))
        found = self._value(
            f"SELECT identifier FROM ({every}) GROUP BY 1 HAVING count(*) > 1 LIMIT 1",  # noqa: S608
            *(layer.table for layer in self.layers),
        )
        if found is not None:
            raise GeoPackageError(
                f"The identifier '{found}' is given more than once; it must be unique in all tables."
            )

    def _value(self, query: str, *tables: str) -> Any:
        row = self._database.execute(query.format(*map(_quoted, tables))).fetchone()
        return None if row is None else row[0]


@contextmanager
def opened(path: Path) -> Iterator[GeoPackage]:
    """Open a file, read-only; raises `GeoPackageError` for what it does not hold, then and later."""
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
    try:
        # The file is a stranger's: it may bring views, but no functions that act.
        database.execute("PRAGMA trusted_schema = OFF")
        yield GeoPackage(database)
    except sqlite3.Error as error:
        raise GeoPackageError(f"The file is not a readable GeoPackage: {error}.") from error
    finally:
        database.close()


def _polygons(identifiers: list[str], blobs: list[object]) -> NDArray[Any]:
    """Return the geometries in two dimensions."""
    geometries = []
    for identifier, blob in zip(identifiers, blobs, strict=True):
        if blob is None:
            raise GeoPackageError(f"Feature '{identifier}' has no geometry.")
        try:
            geometries.append(shapely.from_wkb(_wkb(blob)))
        except (ValueError, shapely.errors.ShapelyError) as error:
            raise GeoPackageError(
                f"The geometry of feature '{identifier}' cannot be read: {error}"
            ) from error
    found = shapely.force_2d(np.array(geometries, object))
    kinds = shapely.get_type_id(found)
    for wrong, reason in (
        ((kinds != _POLYGON) & (kinds != _MULTI_POLYGON), "is not a Polygon or MultiPolygon"),
        (shapely.area(found) <= 0, "has no area"),
        (~shapely.is_valid(found), "is not valid"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            more = f": {shapely.is_valid_reason(found[at])}" if reason == "is not valid" else ""
            raise GeoPackageError(f"The geometry of feature '{identifiers[at]}' {reason}{more}.")
    return found


def _wkb(blob: object) -> bytes:
    """Return the WKB inside a GeoPackage geometry: it follows a header and an optional envelope."""
    if not isinstance(blob, bytes) or len(blob) < 8 or blob[:2] != b"GP":
        raise ValueError("it is not in GeoPackage's form")
    envelope = _ENVELOPE_BYTES.get(blob[3] >> 1 & 0b111)
    if envelope is None:
        raise ValueError("it has an unknown kind of envelope")
    return blob[8 + envelope :]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
