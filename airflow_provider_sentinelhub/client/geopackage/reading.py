"""Reading the features of a GeoPackage, one at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.geopackage.feature import Feature

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

_ENVELOPE_BYTES = (0, 32, 48, 48, 64)
_LAYERS = """
SELECT c.table_name, g.column_name, s.organization, s.organization_coordsys_id
FROM gpkg_contents c JOIN gpkg_geometry_columns g USING (table_name)
JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id
WHERE c.data_type = 'features' ORDER BY c.rowid
"""


def read_features(path: str | os.PathLike[str]) -> Iterator[Feature]:
    """Yield the features of all layers as they stand: unchecked, a missing identifier being ``""``.

    `DefinitionError` if the file is not a GeoPackage of features with identifiers.
    """
    file = Path(path)
    if not file.is_file():
        raise _fault(f"there is no file {file}", "Give the path of a GeoPackage")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            layers = database.execute(_LAYERS).fetchall()
            if not layers:
                raise _fault("has no layer of features", "Write one with write_geopackage")
            for table, column, organization, code in layers:
                yield from _layer(database, table, column, f"{organization}:{code}")
    except (sqlite3.DatabaseError, IndexError) as error:
        raise _fault(
            f"{file.name} is not a GeoPackage ({error})", "Write one with write_geopackage"
        ) from error


def _layer(database: sqlite3.Connection, table: str, column: str, crs: str) -> Iterator[Feature]:
    known = {row[1].lower() for row in database.execute(f"PRAGMA table_info({_quoted(table)})")}
    if "identifier" not in known:
        raise _fault(f"layer {table} has no column identifier", "Add one with a name for every feature")
    names = (name if name in known else "NULL" for name in ("width", "height", "resolution"))
    columns = ", ".join((_quoted(column), "identifier", *names))
    for blob, identifier, width, height, resolution in database.execute(
        f"SELECT {columns} FROM {_quoted(table)}"  # noqa: S608
    ):
        yield Feature(
            "" if identifier is None else str(identifier), _geometry(blob), crs, width, height, resolution
        )


def _geometry(blob: Any) -> Any:
    import shapely

    if blob is None:
        return shapely.Polygon()
    if blob[:2] != b"GP":
        raise _fault("has a geometry that is not a GeoPackage's", "Write the file anew")
    return shapely.from_wkb(blob[8 + _ENVELOPE_BYTES[blob[3] >> 1 & 0b111] :])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _fault(problem: str, remedy: str) -> DefinitionError:
    return DefinitionError([Fault("geopackage", problem, remedy)], "GeoPackage")
