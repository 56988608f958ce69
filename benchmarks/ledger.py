"""What it costs to account for a delivery: CPU and peak memory of one report.

The records are of the service's layout; the bucket is played by a small server that works out its pages as
they are asked for, so that 700,000 files (as many features as the service takes) need not be written first.
``python benchmarks/ledger.py [--tiles 700000]``
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET, REQUEST = "bench", "5f1c1e1e-6d1c-4b6e-9b0e-0123456789ab"
PREFIX = f"run/{REQUEST}/"
PAGE = 1000
_TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (srs_id INTEGER, organization TEXT, organization_coordsys_id INTEGER);
CREATE TABLE gpkg_contents (table_name TEXT, data_type TEXT);
CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, srs_id INTEGER);
INSERT INTO gpkg_spatial_ref_sys VALUES (32611, 'EPSG', 32611);
INSERT INTO gpkg_contents VALUES ('feature_32611', 'features');
INSERT INTO gpkg_geometry_columns VALUES ('feature_32611', 'geometry', 32611);
CREATE TABLE feature_32611 (fid INTEGER PRIMARY KEY, outputId, identifier, path, width, height, geometry);
"""


def key(number: int) -> str:
    return f"{PREFIX}field-{number:07}/NDVI.tif"


def write_records(folder: Path, tiles: int) -> None:
    with closing(sqlite3.connect(folder / "manifest")) as database, database:
        database.executescript(_TABLES)
        database.executemany(
            "INSERT INTO feature_32611 VALUES (NULL, 'NDVI', ?, ?, 100, 100, ?)", planned(tiles)
        )
    with closing(sqlite3.connect(folder / "execution")) as database, database:
        database.execute("CREATE TABLE features (id INTEGER PRIMARY KEY, name, status, error, delivered)")
        rows = ((f"field-{number:07}",) for number in range(tiles))
        database.executemany("INSERT INTO features VALUES (NULL, ?, 'DONE', NULL, 1)", rows)


def planned(tiles: int) -> Iterator[tuple[str, str, bytes]]:
    ring = struct.pack("<BIII10d", 1, 3, 1, 5, *(0.0,) * 10)
    for number in range(tiles):
        box = struct.pack("<2sBBi4d", b"GP", 0, 0b11, 32611, number, number + 1, 0, 1)
        yield f"field-{number:07}", f"s3://{BUCKET}/{key(number)}", box + ring


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as a report asks for."""

    protocol_version = "HTTP/1.1"
    tiles = 0
    folder = Path()

    def do_GET(self) -> None:
        """Answer a listing, or one of the two records."""
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if "list-type" in query:
            self.answer(200, page(query, self.tiles), "application/xml")
        elif "featureManifest" in url.path:
            self.answer(200, (self.folder / "manifest").read_bytes(), "application/octet-stream")
        elif "execution" in url.path:
            self.answer(200, (self.folder / "execution").read_bytes(), "application/octet-stream")
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml")

    def answer(self, status: int, body: bytes, kind: str) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def page(query: dict[str, str], tiles: int) -> bytes:
    after = query.get("continuation-token") or query.get("start-after", "")
    first = 0
    if after.startswith(f"{PREFIX}field-"):
        number = int(after[len(f"{PREFIX}field-") :][:7])
        first = number + (after >= key(number))
    last = min(first + PAGE, tiles)
    items = "".join(
        f"<Contents><Key>{key(number)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        f"<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>20000</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for number in range(first, last)
    )
    more = (
        f"<IsTruncated>true</IsTruncated><NextContinuationToken>{key(last - 1)}</NextContinuationToken>"
        if last < tiles
        else "<IsTruncated>false</IsTruncated>"
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{BUCKET}</Name><MaxKeys>{PAGE}</MaxKeys>{more}{items}</ListBucketResult>"
    ).encode()


def serve(tiles: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        Bucket.tiles, Bucket.folder = tiles, Path(temporary)
        write_records(Bucket.folder, tiles)
        with ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
            print(server.server_port, flush=True)
            server.serve_forever()


def report(tiles: int, port: int) -> None:
    import boto3

    from airflow_provider_sentinelhub.client.delivery.ledger import open_ledger
    from airflow_provider_sentinelhub.client.models import BatchRequest, BatchStatus

    s3 = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-central-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench-bench",
    )
    definition = {"output": {"type": "raster", "delivery": {"s3": {"url": f"s3://{BUCKET}/run"}}}}
    request = BatchRequest(id=REQUEST, status=BatchStatus.DONE, definition=definition)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu, wall = time.process_time(), time.perf_counter()
    with open_ledger(s3, request) as ledger:
        counted = ledger.report
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    if (counted.expected, counted.delivered) != (tiles, tiles):
        raise RuntimeError(f"a wrong count: {counted}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{tiles:>8} tiles: {cpu:6.2f} s CPU, {wall:6.1f} s wall, {peak:4.0f} MB peak ({before:.0f} before)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, nargs="+", default=[10_000, 100_000, 700_000])
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--report", type=int, nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve)
        return
    if chosen.report:
        report(*chosen.report)
        return
    for tiles in chosen.tiles:
        # Each in a process of its own, so that memory is what one report takes.
        server = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(tiles)], stdout=subprocess.PIPE, text=True
        )
        try:
            port = server.stdout.readline().strip() if server.stdout else ""
            subprocess.run(
                [sys.executable, __file__, "--report", str(tiles), port], check=True, env={**os.environ}
            )
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
