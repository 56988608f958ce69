"""What it costs to price a request: CPU and peak memory, for the tiles of a grid and a manifest of features.

Scenes are made up: granules of 110 km in swaths, every place seen each five days.
``python benchmarks/price.py``
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import struct
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import shapely

from airflow_provider_sentinelhub.client.models import BatchRequest
from airflow_provider_sentinelhub.client.price import Estimate, price_definition, price_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_s3 import S3Client

DAYS = 30
START = datetime(2024, 6, 1, tzinfo=timezone.utc)
AREA = (8.0, 46.0, 21.3, 54.9)  # 10,000 tiles of 10 km, in three zones
REQUEST = "5f1c1e1e-6d1c-4b6e-9b0e-0123456789ab"
_TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (srs_id INTEGER, organization TEXT, organization_coordsys_id INTEGER);
CREATE TABLE gpkg_contents (table_name TEXT, data_type TEXT);
CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, srs_id INTEGER);
INSERT INTO gpkg_spatial_ref_sys VALUES (32633, 'EPSG', 32633);
INSERT INTO gpkg_contents VALUES ('feature_32633', 'features');
INSERT INTO gpkg_geometry_columns VALUES ('feature_32633', 'geometry', 32633);
CREATE TABLE feature_32633 (fid INTEGER PRIMARY KEY, outputId, identifier, path, width, height, geometry);
"""


@dataclass(frozen=True)
class SceneItem:
    """A scene of the Catalog."""

    datetime: datetime
    geometry: Any
    cloud_cover: float | None


def scenes() -> list[SceneItem]:
    found = []
    for day in range(DAYS):
        seen = START + timedelta(days=day, hours=10)
        west = AREA[0] - 6 + (day % 5) * 3.2
        while west < AREA[2] + 2:  # swaths of 290 km, five days apart
            for i in range(3):
                for j in range(12):
                    corner = west + 1.3 * i + 0.2 * j, AREA[1] - 1 + 0.95 * j
                    box = shapely.box(*corner, corner[0] + 1.45, corner[1] + 1.05)
                    found.append(SceneItem(seen, box, 20.0))
            west += 16
    return found


def wire(mosaicking: str, given: dict[str, Any]) -> dict[str, Any]:
    setup = f'{{input: ["B04", "B08"], output: {{bands: 1}}, mosaicking: "{mosaicking}"}}'
    period = {"from": START.isoformat(), "to": (START + timedelta(days=DAYS)).isoformat()}
    return {
        "processRequest": {
            "evalscript": f"//VERSION=3\nfunction setup() {{ return {setup}; }}",
            "input": {
                "bounds": {"bbox": list(AREA)},
                "data": [{"type": "sentinel-2-l2a", "dataFilter": {"timeRange": period}}],
            },
        },
        "input": given,
        "output": {"delivery": {"s3": {"url": "s3://bench/run"}}},
    }


def write_manifest(path: Path, count: int) -> None:
    chance = random.Random(1)

    def rows() -> Iterator[tuple[str, int, int, bytes]]:
        ring = struct.pack("<BIII10d", 1, 3, 1, 5, *(0.0,) * 10)
        for number in range(count):
            width, height = chance.randint(5, 120), chance.randint(5, 120)
            x, y = 300_000 + 500 * (number % 800), 5_100_000 + 500 * (number // 800)
            box = struct.pack("<2sBBi4d", b"GP", 0, 0b11, 32633, x, x + 10 * width, y, y + 10 * height)
            yield f"field-{number:07}", width, height, box + ring

    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_TABLES)
        database.executemany(
            "INSERT INTO feature_32633 VALUES (NULL, 'NDVI', ?, 's3://bench/run', ?, ?, ?)", rows()
        )


class OneFile:
    """As much of an S3 client as fetching the manifest takes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_object(self, **_: str) -> dict[str, Any]:
        """Return the file, whatever was asked for."""
        from botocore.response import StreamingBody

        size = self._path.stat().st_size
        return {"Body": StreamingBody(self._path.open("rb"), size), "ContentLength": size}


def measure(name: str, work: Callable[[], Estimate]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    estimate = work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    price = f"{estimate.pu.likely:,.0f} PU"
    print(f"{name:36} {estimate.count:>8,} {price:>12} {cpu:7.2f} {wall:7.2f} {peak:6.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=700_000, help="default: %(default)s")
    chosen = parser.parse_args()
    grid = {"type": "tiling-grid", "id": 1, "resolution": 20.0}
    known = scenes()
    print(f"{'':36} {'tiles':>8} {'likely':>12} {'CPU s':>7} {'wall s':>7} {'MB':>6}")
    price_definition({**wire("SIMPLE", grid)})  # imports, and squares of the grid that are remembered
    measure("grid, SIMPLE", lambda: price_definition(wire("SIMPLE", grid)))
    measure("grid, ORBIT, no scenes known", lambda: price_definition(wire("ORBIT", grid)))
    for mosaicking in ("SIMPLE", "ORBIT", "TILE"):
        name = f"grid, {mosaicking}, {len(known):,} scenes"
        measure(name, lambda m=mosaicking: price_definition(wire(m, grid), scenes=known))  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "manifest.gpkg")
        write_manifest(path, chosen.features)
        s3 = cast("S3Client", OneFile(path))
        for mosaicking in ("SIMPLE", "ORBIT"):
            body = {"id": REQUEST, "request": wire(mosaicking, {"type": "geopackage"})}
            request = BatchRequest.from_wire(body)
            name = f"manifest, {mosaicking}"
            measure(f"{name}, no scenes known", lambda r=request: price_request(s3, r))  # type: ignore[misc]
            if mosaicking == "ORBIT":
                name = f"{name}, {len(known):,} scenes"
                measure(name, lambda r=request: price_request(s3, r, scenes=known))  # type: ignore[misc]


if __name__ == "__main__":
    main()
