"""What a request will process, as its analysis wrote it down: the feature manifest on the bucket."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.crs import crs_url
from airflow_provider_sentinelhub.client.delivery import files
from airflow_provider_sentinelhub.client.delivery.folder import manifest_name
from airflow_provider_sentinelhub.client.delivery.geometry import bounds_of
from airflow_provider_sentinelhub.client.errors import UnreadableDeliveryError
from airflow_provider_sentinelhub.client.price.buffers import Buffers
from airflow_provider_sentinelhub.client.price.places import CHUNK, Places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from airflow_provider_sentinelhub.client.delivery.folder import DeliveryFolder
    from airflow_provider_sentinelhub.client.price.plan import Plan

_LAYERS = """
SELECT c.table_name, g.column_name, upper(s.organization) || ':' || s.organization_coordsys_id
FROM manifest.gpkg_contents c JOIN manifest.gpkg_geometry_columns g USING (table_name)
JOIN manifest.gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id
WHERE c.data_type = 'features' ORDER BY 1
"""
# A row for every output in the manifest, one for the tile here.
_SCHEMA = """
CREATE TABLE tile (
    name TEXT PRIMARY KEY, layer INTEGER NOT NULL, fid INTEGER NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL
) WITHOUT ROWID;
"""


class ManifestFeatures:
    """The features of a manifest, brought together on disk: memory does not grow with their number."""

    def __init__(self, database: sqlite3.Connection, name: str, plan: Plan) -> None:
        self._database, self._name = database, name
        self._layers: list[tuple[str, str, str]] = []
        self._buffers = Buffers(plan)
        self.notes: list[str] = []
        try:
            self._read()
        except (sqlite3.OperationalError, UnicodeDecodeError, ValueError) as error:
            raise UnreadableDeliveryError(f"{name} is not a GeoPackage of the service ({error}).") from error
        except sqlite3.IntegrityError as error:
            raise UnreadableDeliveryError(f"{name} has features without a size ({error}).") from error

    def _read(self) -> None:
        self._database.executescript(_SCHEMA)
        for number, (table, column, crs) in enumerate(self._database.execute(_LAYERS).fetchall()):
            self._layers.append((_quoted(table), _quoted(column), crs_url(crs)))
            self._database.execute(
                "INSERT INTO tile SELECT identifier, ?, min(rowid), max(width), max(height) "  # noqa: S608
                f"FROM manifest.{_quoted(table)} GROUP BY identifier "
                "ON CONFLICT DO NOTHING",
                (number,),
            )
        sizes = self._database.execute(
            "SELECT width, height, layer, min(fid) FROM tile GROUP BY width, height ORDER BY count(*) DESC"
        ).fetchall()
        if not sizes:
            raise UnreadableDeliveryError(f"{self._name} plans no tile.")
        for width, height, layer, fid in sizes:
            if width < 1 or height < 1:
                raise UnreadableDeliveryError(f"{self._name} has a feature of {width} x {height} pixels.")
            self._buffers.learn(width, height, bounds_of(self._geometry(layer, fid)))
        self.notes = self._buffers.notes

    def _geometry(self, layer: int, fid: int) -> bytes:
        table, column, _ = self._layers[layer]
        query = f"SELECT {column} FROM manifest.{table} WHERE rowid = ?"  # noqa: S608
        blob: bytes = self._database.execute(query, (fid,)).fetchone()[0]
        return blob

    def sizes(self) -> Iterator[tuple[int, int, int]]:
        """Return width, height and how many have them; pixels with buffers."""
        rows = self._database.execute("SELECT width, height, count(*) FROM tile GROUP BY width, height")
        for width, height, count in rows:
            yield (*self._buffers.size(width, height), count)

    def places(self) -> Iterator[Places]:
        """Go through all features, at most `CHUNK` of one CRS at a time."""
        for number, (table, column, crs) in enumerate(self._layers):
            rows = self._database.execute(
                f"SELECT t.width, t.height, m.{column} FROM manifest.{table} m "  # noqa: S608
                "JOIN tile t ON t.name = m.identifier AND t.fid = m.rowid AND t.layer = ? ORDER BY m.rowid",
                (number,),
            )
            for _, chunk in groupby(enumerate(rows), key=lambda pair: pair[0] // CHUNK):
                yield self._places(crs, [row for _, row in chunk])

    def _places(self, crs: str, rows: list[tuple[int, int, bytes]]) -> Places:
        import numpy as np

        sizes = np.array([self._buffers.size(width, height) for width, height, _ in rows])
        bounds = np.array([bounds_of(blob) for _, _, blob in rows])
        return Places(crs, self._buffers.widened(bounds, sizes), sizes)


@contextmanager
def open_manifest(
    s3: S3Client, folder: DeliveryFolder, request_id: str, plan: Plan
) -> Iterator[ManifestFeatures]:
    """Fetch and read the manifest of a request that has been analysed.

    Raises `UnreadableDeliveryError` if it is not there or not the service's, `HalfWrittenError` if it stays
    cut off, botocore's ``ClientError`` when the bucket cannot be read.
    """
    name = manifest_name(request_id)
    with tempfile.TemporaryDirectory(prefix="sentinelhub-") as temporary:
        home = Path(temporary)
        found: list[Path | None] = []
        files.again_while_half_written(lambda _: found.append(files.fetch(s3, folder, name, home)))
        manifest = found[-1]
        if manifest is None:
            raise UnreadableDeliveryError(
                f"The feature manifest of batch request {request_id} is not in {folder.url}: "
                "it was never analysed, or somebody has removed it."
            )
        with closing(sqlite3.connect((home / "price.sqlite").as_uri(), uri=True)) as database:
            database.text_factory = files.lenient_text
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE"):
                database.execute(f"PRAGMA {pragma}")
            database.execute("ATTACH ? AS manifest", (files.read_only(manifest),))
            yield ManifestFeatures(database, name, plan)


def _quoted(name: Any) -> str:
    return '"' + str(name).replace('"', '""') + '"'
