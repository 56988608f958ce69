"""How fast a delivery is listed, next to boto3's own paginator, on the sandbox's S3 server.

It fills a bucket with a folder per tile, which takes minutes, then lists it in turns; medians. "The server
alone" makes the same requests as boto3 and throws the pages away: what any client has to wait for that asks
for one page after the other. ``python benchmarks/listing.py``; with ``--data-dir`` the bucket is kept for the
next time.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import urllib3

from airflow_provider_sentinelhub.client.listing import list_objects
from airflow_provider_sentinelhub.sandbox.s3 import S3Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

BUCKET = "bench"
PREFIX = "run/5f1c1e1e-6d1c-4b6e-9b0e-0123456789ab/"
OUTPUTS = ("NDVI", "data_mask")
PAGE = 1000
WRITERS = 8


def planned(tiles: int) -> list[str]:
    return [
        f"{PREFIX}{i // 1000 + 10}SEJ_{i:05d}_3_2/{output}.tif" for i in range(tiles) for output in OUTPUTS
    ]


def put(urls: list[str]) -> None:
    pool = urllib3.PoolManager(maxsize=WRITERS)

    def one(url: str) -> None:
        answer = pool.request("PUT", url, body=b"tile")
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {answer.data!r}")

    with ThreadPoolExecutor(WRITERS) as executor:
        list(executor.map(one, urls))


def fill(s3: S3Client, keys: list[str]) -> None:
    chunks = [keys[i : i + 5000] for i in range(0, len(keys), 5000)]
    with ProcessPoolExecutor(2) as executor:
        signed = (
            [s3.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": key}) for key in chunk]
            for chunk in chunks
        )
        list(executor.map(put, signed))


def with_boto3(s3: S3Client) -> int:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
    return sum(1 for page in pages for _ in page.get("Contents", ()))


def server_alone(s3: S3Client) -> int:
    pool = urllib3.PoolManager()
    count, token = 0, ""
    while True:
        arguments = {"Bucket": BUCKET, "Prefix": PREFIX} | ({"ContinuationToken": token} if token else {})
        page = pool.request("GET", s3.generate_presigned_url("list_objects_v2", Params=arguments)).data
        count += page.count(b"<Key>")
        found = re.search(rb"<NextContinuationToken>(.+?)<", page)
        if not found:
            return count
        token = found[1].decode()


def fast(s3: S3Client, boundaries: list[str], threads: int) -> int:
    return sum(1 for _ in list_objects(s3, BUCKET, PREFIX, boundaries=boundaries, threads=threads))


@dataclass
class Cost:
    """Seconds."""

    wall: float
    client: float
    server: float


def measure(server: S3Server, work: Callable[[], int], expected: int) -> Cost:
    wall, client, weed = time.perf_counter(), time.process_time(), cpu_seconds(server)
    if (found := work()) != expected:
        raise RuntimeError(f"{found} objects instead of {expected}")
    return Cost(time.perf_counter() - wall, time.process_time() - client, cpu_seconds(server) - weed)


def cpu_seconds(server: S3Server) -> float:
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=50_000, help="two objects each (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=8, help="default: %(default)s")
    parser.add_argument("--data-dir", type=Path, help="where the bucket is, or is to be")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, S3Server(chosen.data_dir or Path(temporary)) as server:
        server.create_bucket(BUCKET)
        s3, keys = server.client(server.user), planned(chosen.tiles)
        present = {item.key for item in list_objects(s3, BUCKET, PREFIX, boundaries=keys[PAGE - 1 :: PAGE])}
        fill(s3, [key for key in keys if key not in present])
        ways: dict[str, Callable[[], int]] = {
            "boto3's paginator": partial(with_boto3, s3),
            f"list_objects, {chosen.threads} threads": partial(
                fast, s3, keys[PAGE - 1 :: PAGE], chosen.threads
            ),
            "list_objects, no boundaries": partial(fast, s3, [], 1),
            "the server alone, page by page": partial(server_alone, s3),
        }
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        for _ in range(chosen.rounds):
            for name, work in ways.items():
                costs[name].append(measure(server, work, len(keys)))
                print(f"  {name}: {costs[name][-1]}", flush=True)
    print(f"{len(keys)} objects in {chosen.tiles} folders, medians of {chosen.rounds}; seconds")
    print(f"{'':34}{'wall':>8}{'times':>7}{'client CPU':>12}{'times':>7}{'server CPU':>12}")
    base, *_ = (median(each) for each in costs.values())
    for name, each in costs.items():
        cost = median(each)
        print(
            f"{name:34}{cost.wall:>8.1f}{base.wall / cost.wall:>7.1f}"
            f"{cost.client:>12.2f}{base.client / cost.client:>7.1f}{cost.server:>12.1f}"
        )


def median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.wall for cost in costs),
        statistics.median(cost.client for cost in costs),
        statistics.median(cost.server for cost in costs),
    )


if __name__ == "__main__":
    main()
