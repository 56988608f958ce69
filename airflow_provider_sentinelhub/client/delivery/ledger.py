"""Plan, account and bucket of one delivery, brought together on disk: memory does not grow with the tiles."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.delivery import bucket, files, zarr
from airflow_provider_sentinelhub.client.delivery.folder import (
    DeliveryFolder,
    execution_name,
    manifest_name,
    repairs_name,
)
from airflow_provider_sentinelhub.client.delivery.geometry import bounds_of, wkb_of
from airflow_provider_sentinelhub.client.delivery.report import TileReport, report_of
from airflow_provider_sentinelhub.client.delivery.tiles import LostTile, Tile
from airflow_provider_sentinelhub.client.errors import HalfWrittenError, UnreadableDeliveryError
from airflow_provider_sentinelhub.client.judge import processed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from airflow_provider_sentinelhub.client.models import BatchRequest

_COLUMNS = ("outputId", "identifier", "path", "width", "height")

_SCHEMA = """
CREATE TABLE layer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, geometry TEXT NOT NULL, crs TEXT NOT NULL);
CREATE TABLE planned (
    path TEXT NOT NULL, tile TEXT NOT NULL, output TEXT NOT NULL,
    layer INTEGER NOT NULL, fid INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    PRIMARY KEY (path, tile, output)
) WITHOUT ROWID;
CREATE TABLE account (
    name TEXT PRIMARY KEY NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE found (
    path TEXT NOT NULL, tile TEXT NOT NULL, output TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (path, tile, output)
) WITHOUT ROWID;
"""

_LOST = "state IN ('failed', 'pending', 'missing')"

# What each tile has come to. Where nothing is known of a tile, only the bucket counts; a status that is not
# known is none of success.
_TILES = """
CREATE TABLE tile AS
SELECT p.tile AS name, min(p.layer) AS layer, coalesce(sum(f.size), 0) AS bytes,
    CASE
        WHEN a.status = 'DONE' AND lower(trim(a.error)) LIKE 'no data%' THEN 'no data'
        WHEN a.status = 'PENDING' THEN 'pending'
        WHEN a.status <> 'DONE' THEN 'failed'
        WHEN sum(f.size IS NULL OR (f.size = 0 AND NOT :zarr)) > 0
            THEN CASE WHEN a.status IS NULL AND NOT :done THEN 'pending' ELSE 'missing' END
        WHEN sum(f.size) = 0 THEN 'blank'
        ELSE 'delivered'
    END AS state,
    CASE
        WHEN a.status NOT IN ('DONE', 'PENDING')
            THEN CASE a.error WHEN '' THEN a.status ELSE a.status || ': ' || a.error END
        ELSE coalesce(group_concat(CASE WHEN f.size IS NULL THEN p.output || ' is not on the bucket'
            WHEN f.size = 0 AND NOT :zarr THEN p.output || ' is an empty file' END, ', '), '')
    END AS reason
FROM planned p LEFT JOIN found f USING (path, tile, output) LEFT JOIN account a ON a.name = p.tile
GROUP BY p.tile
"""


class Ledger:
    """What one request planned, what it says it did, and what lies on the bucket.

    ``report`` is the sum of it; the tiles themselves are read on the way. Made by `open_ledger`.
    """

    def __init__(self, s3: S3Client, request: BatchRequest, folder: DeliveryFolder, home: Path) -> None:
        self.request = request
        self.folder = folder
        self._s3 = s3
        self._home = home
        self._database: sqlite3.Connection
        self.report: TileReport
        self.repairs: list[str] = []

    def tiles(self) -> Iterator[Tile]:
        """Go through the delivered tiles, by name, each with all its outputs."""
        yield from self._tiles("state = 'delivered'")

    def lost(self) -> Iterator[LostTile]:
        """Go through the tiles that failed, are pending or are missing, by name."""
        rows = self._database.execute(
            f"SELECT name, state, reason FROM tile WHERE {_LOST} ORDER BY name"  # noqa: S608
        )
        for name, state, reason in rows:
            yield LostTile(name, state, reason)

    def lost_features(self) -> Iterator[tuple[Tile, bytes]]:
        """Go through the same tiles as they were planned, each with its outline (WKB in its CRS)."""
        for tile in self._tiles(_LOST):
            layer, fid = self._database.execute(
                "SELECT layer, fid FROM planned WHERE tile = ? LIMIT 1", (tile.name,)
            ).fetchone()
            yield tile, wkb_of(self._geometry(layer, fid))

    def _tiles(self, which: str) -> Iterator[Tile]:
        rows = self._database.execute(
            "SELECT p.tile, p.output, p.path, p.width, p.height, p.layer, p.fid, l.crs "  # noqa: S608
            "FROM tile t JOIN planned p ON p.tile = t.name JOIN layer l ON l.id = p.layer "
            f"WHERE {which} ORDER BY p.tile, p.output"
        )
        tile: Tile | None = None
        for name, output, path, width, height, layer, fid, crs in rows:
            if tile is None or tile.name != name:
                if tile is not None:
                    yield tile
                tile = Tile(name, crs, bounds_of(self._geometry(layer, fid)), width, height)
            tile.outputs[output] = f"{path.rstrip('/')}/{output}" if self._is_zarr else path
        if tile is not None:
            yield tile

    def _geometry(self, layer: int, fid: int) -> bytes:
        name, column = self._layers[layer]
        row = self._database.execute(
            f"SELECT {_quoted(column)} FROM manifest.{_quoted(name)} WHERE rowid = ?",  # noqa: S608
            (fid,),
        ).fetchone()
        blob: bytes = row[0]
        return blob

    def _read(self, last: bool) -> None:
        """Read everything; what is behind is reported as it is only at the ``last`` attempt."""
        manifest = files.fetch(self._s3, self.folder, manifest_name(self.request.id), self._home)
        if manifest is None:
            raise UnreadableDeliveryError(
                f"The feature manifest of batch request {self.request.id} is not in {self.folder.url}: "
                "it was never analysed, or somebody has removed it."
            )
        self._begin(manifest)
        self._plan()
        self.repairs = self._read_repairs()
        for request_id in (self.request.id, *self.repairs):
            account = files.fetch(self._s3, self.folder, execution_name(request_id), self._home)
            if account is not None:
                self._add_account(account)
        done = processed(self.request)
        if done and not last and self._still_pending():
            raise HalfWrittenError("The execution database is behind: it has pending tiles.")
        if self._is_zarr:
            group = (self.request.definition.get("output") or {}).get("group") or {}
            upwards = (group.get("coordinates") or {}).get("origin") == "bottomLeft"
            unexpected = zarr.scan(self._s3, self._database, self.folder, upwards=upwards)
        else:
            unexpected = bucket.scan(self._s3, self._database, self.folder)
        self._database.execute(_TILES, {"zarr": self._is_zarr, "done": done})
        self._database.execute("CREATE UNIQUE INDEX tile_name ON tile (name)")
        self.report = report_of(self._database, self.request, self.folder, unexpected, self.repairs)

    def _begin(self, manifest: Path) -> None:
        work = self._home / "ledger.sqlite"
        self.close()
        work.unlink(missing_ok=True)
        self._database = sqlite3.connect(work.as_uri(), uri=True, isolation_level=None)
        self._database.text_factory = files.lenient_text
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "cache_size = -16000"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_SCHEMA)
        self._database.execute("ATTACH ? AS manifest", (files.read_only(manifest),))

    def _plan(self) -> None:
        name = manifest_name(self.request.id)
        try:
            layers = self._database.execute(
                "SELECT c.table_name, g.column_name, "
                "upper(s.organization) || ':' || s.organization_coordsys_id "
                "FROM manifest.gpkg_contents c JOIN manifest.gpkg_geometry_columns g USING (table_name) "
                "JOIN manifest.gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id "
                "WHERE c.data_type = 'features' ORDER BY 1"
            ).fetchall()
            for number, (table, geometry, crs) in enumerate(layers):
                self._plan_layer(number, table, geometry, crs)
        except (sqlite3.OperationalError, UnicodeDecodeError) as error:
            raise UnreadableDeliveryError(f"{name} is not a GeoPackage of the service ({error}).") from error
        except sqlite3.IntegrityError as error:
            raise UnreadableDeliveryError(f"{name} names files twice or not at all ({error}).") from error
        self._layers = {number: (table, geometry) for number, (table, geometry, _) in enumerate(layers)}
        paths, rows = self._database.execute("SELECT count(DISTINCT path), count(*) FROM planned").fetchone()
        if not rows:
            raise UnreadableDeliveryError(f"{name} plans no tile.")
        output = self.request.definition.get("output")
        known = output.get("type") if isinstance(output, dict) else None
        # For Zarr every row names the group; without a definition that is all there is to go by.
        self._is_zarr = known == "zarr" if known else paths == 1 < rows
        if not self._is_zarr and paths != rows:
            raise UnreadableDeliveryError(f"{name} plans {rows} files in {paths} places.")

    def _plan_layer(self, number: int, table: str, geometry: str, crs: str) -> None:
        known = [row[1] for row in self._database.execute(f"PRAGMA manifest.table_info({_quoted(table)})")]
        missing = [column for column in _COLUMNS if column not in known]
        if missing:
            raise UnreadableDeliveryError(
                f"{manifest_name(self.request.id)} has a layer {table} without {', '.join(missing)}: "
                "it is of an older layout, or not the service's."
            )
        self._database.execute("INSERT INTO layer VALUES (?, ?, ?, ?)", (number, table, geometry, crs))
        self._database.execute(
            "INSERT INTO planned SELECT path, identifier, outputId, ?, rowid, width, height "  # noqa: S608
            f"FROM manifest.{_quoted(table)} ORDER BY path, identifier, outputId",
            (number,),
        )

    def _add_account(self, account: Path) -> None:
        """Take the account of the request, or of a repair of it, which has the later word."""
        self._database.execute("ATTACH ? AS execution", (files.read_only(account),))
        try:
            self._database.execute(
                "INSERT OR REPLACE INTO account "
                "SELECT name, upper(coalesce(status, '')), coalesce(error, '') "
                "FROM execution.features WHERE name IN (SELECT tile FROM planned) ORDER BY name, id"
            )
        except (sqlite3.OperationalError, UnicodeDecodeError) as error:
            raise UnreadableDeliveryError(
                f"{account.name} is not an execution database of the service ({error})."
            ) from error
        finally:
            self._database.execute("DETACH execution")

    def _still_pending(self) -> bool:
        found = self._database.execute("SELECT 1 FROM account WHERE status = 'PENDING' LIMIT 1").fetchone()
        return found is not None

    def _read_repairs(self) -> list[str]:
        return read_repairs(self._s3, self.folder, self.request.id)

    def close(self) -> None:
        """Close the database."""
        if hasattr(self, "_database"):
            self._database.close()


@contextmanager
def open_ledger(
    s3: S3Client, request: BatchRequest, folder: DeliveryFolder | None = None
) -> Iterator[Ledger]:
    """Read what a request has delivered so far, its repairs included; ``folder`` where it is known otherwise.

    Takes up to ten seconds longer where a record is just being written. Raises `HalfWrittenError` if it stays
    cut off or torn, `UnreadableDeliveryError` for records that are missing or not the service's, botocore's
    ``ClientError`` when the bucket cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="sentinelhub-") as temporary:
        ledger = Ledger(s3, request, folder or DeliveryFolder.of(request), Path(temporary))
        with closing(ledger):
            files.again_while_half_written(ledger._read)
            yield ledger


def read_repairs(s3: S3Client, folder: DeliveryFolder, request_id: str) -> list[str]:
    """Return the ids of the requests that repair this one, oldest first."""
    from botocore.exceptions import ClientError

    name = repairs_name(request_id)
    try:
        text = s3.get_object(Bucket=folder.bucket, Key=folder.key(name))["Body"].read()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
            return []
        raise
    try:
        known: Any = json.loads(text)
        return [str(one) for one in known["repairs"]]
    except (ValueError, TypeError, KeyError) as error:
        raise UnreadableDeliveryError(f"{name} is not the list of repairs that it should be.") from error


def add_repair(s3: S3Client, folder: DeliveryFolder, request_id: str, repair_id: str) -> None:
    """Note beside the delivery that a request repairs it."""
    known = read_repairs(s3, folder, request_id)
    if repair_id not in known:
        text = json.dumps({"request": request_id, "repairs": [*known, repair_id]})
        s3.put_object(Bucket=folder.bucket, Key=folder.key(repairs_name(request_id)), Body=text.encode())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
