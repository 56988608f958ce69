"""Deliveries made by hand: records as the service lays them on a bucket, and the files they speak of."""

from __future__ import annotations

import sqlite3
import struct
import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.models import BatchRequest, BatchStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sandbox_driver import Sandbox

OUTPUTS = ("NDVI", "mask")

_GEOPACKAGE = """
CREATE TABLE gpkg_spatial_ref_sys (srs_id INTEGER, organization TEXT, organization_coordsys_id INTEGER);
CREATE TABLE gpkg_contents (table_name TEXT, data_type TEXT);
CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, srs_id INTEGER);
"""


class Delivery:
    """One request's folder on the sandbox's bucket; every part of it can be made wrong."""

    def __init__(
        self, sandbox: Sandbox, home: Path, layout: str = "<requestId>/<tileName>/<outputId>.tif"
    ) -> None:
        self.sandbox, self.home = sandbox, home
        self.id = str(uuid.uuid4())
        self.prefix = f"made/{self.id}"
        self.layout = layout.replace("<requestId>/", "")
        self.s3 = sandbox.s3_client()

    def request(self, status: str = "DONE") -> BatchRequest:
        delivery = {"s3": {"url": f"s3://{self.sandbox.bucket}/made"}}
        return BatchRequest(
            id=self.id,
            status=BatchStatus(status),
            raw_status=status,
            definition={"output": {"type": "raster", "delivery": delivery}},
        )

    def path(self, tile: str, output: str) -> str:
        key = self.layout.replace("<tileName>", tile).replace("<outputId>", output)
        return f"s3://{self.sandbox.bucket}/{self.prefix}/{key}"

    def plan(self, tiles: Iterable[str], outputs: Sequence[str] = OUTPUTS, epsg: int = 32611) -> bytes:
        """Return a manifest that plans the tiles, side by side."""
        path = self.home / "manifest.gpkg"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as database, database:
            database.executescript(_GEOPACKAGE)
            database.execute("INSERT INTO gpkg_spatial_ref_sys VALUES (?, 'EPSG', ?)", (epsg, epsg))
            database.execute("INSERT INTO gpkg_contents VALUES ('feature', 'features')")
            database.execute("INSERT INTO gpkg_geometry_columns VALUES ('feature', 'geometry', ?)", (epsg,))
            database.execute(
                "CREATE TABLE feature "
                "(fid INTEGER PRIMARY KEY, outputId, identifier, path, width, height, geometry)"
            )
            rows = (
                (output, tile, self.path(tile, output), 100, 100, blob(number))
                for number, tile in enumerate(tiles)
                for output in outputs
            )
            database.executemany("INSERT INTO feature VALUES (NULL, ?, ?, ?, ?, ?, ?)", rows)
        return path.read_bytes()

    def account(self, states: Iterable[tuple[str, str, str | None]]) -> bytes:
        """Return an execution database with these names, statuses and errors."""
        path = self.home / "execution.sqlite"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE features (id INTEGER PRIMARY KEY, name, status, error, delivered)")
            rows = ((*state, state[1] == "DONE") for state in states)
            database.executemany("INSERT INTO features VALUES (NULL, ?, ?, ?, ?)", rows)
        return path.read_bytes()

    def put(self, name: str, content: bytes) -> None:
        self.s3.put_object(Bucket=self.sandbox.bucket, Key=f"{self.prefix}/{name}", Body=content)

    def put_records(self, manifest: bytes | None = None, account: bytes | None = None) -> None:
        if manifest is not None:
            self.put(f"featureManifest-{self.id}.gpkg", manifest)
        if account is not None:
            self.put(f"execution-{self.id}.sqlite", account)

    def put_tiles(
        self, tiles: Iterable[str], outputs: Sequence[str] = OUTPUTS, content: bytes = b"tiff"
    ) -> None:
        for tile in tiles:
            for output in outputs:
                self.put(self.path(tile, output).partition(f"{self.prefix}/")[2], content)


def blob(number: int) -> bytes:
    """Return a square of 1 km as GeoPackages hold it, with its box in front."""
    from shapely import box

    square = box(1000 * number, 0, 1000 * number + 1000, 1000)
    return (
        struct.pack("<2sBBi4d", b"GP", 0, 0b11, 32611, 1000 * number, 1000 * number + 1000, 0, 1000)
        + square.wkb
    )


def done(tiles: Iterable[str]) -> list[tuple[str, str, Any]]:
    return [(tile, "DONE", None) for tile in tiles]
