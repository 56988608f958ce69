"""Hold a plan of files against what lies on the bucket."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.delivery.folder import is_record
from airflow_provider_sentinelhub.client.errors import UnreadableDeliveryError
from airflow_provider_sentinelhub.client.listing import list_objects

if TYPE_CHECKING:
    import sqlite3

    from mypy_boto3_s3 import S3Client

    from airflow_provider_sentinelhub.client.delivery.folder import DeliveryFolder

# So many planned keys make a range that is listed by itself: what a page of the listing holds.
_RANGE = 1000
_BATCH = 10_000


def scan(s3: S3Client, ledger: sqlite3.Connection, folder: DeliveryFolder) -> int:
    """Note the planned files that are there, with their sizes; returns how many others lie among them."""
    root = f"s3://{folder.bucket}/"
    first, last = ledger.execute("SELECT min(path), max(path) FROM planned").fetchone()
    if not (first.startswith(root) and last.startswith(root)):
        raise UnreadableDeliveryError(f"The feature manifest plans files outside the bucket {folder.bucket}.")
    # The keys between the first and the last share whatever those two share.
    common = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    prefix = first[len(root) : first.rfind("/", 0, common) + 1]
    numbered = "SELECT path, row_number() OVER (ORDER BY path) AS number FROM planned"
    boundaries = [
        path[len(root) :]
        for (path,) in ledger.execute(f"SELECT path FROM ({numbered}) WHERE number % {_RANGE} = 0")  # noqa: S608
    ]
    ledger.execute("CREATE TABLE listed (path TEXT NOT NULL, size INTEGER NOT NULL)")
    unexpected = 0
    listed = list_objects(s3, folder.bucket, prefix, boundaries=boundaries)
    while batch := [(root + item.key, item.size) for item in islice(listed, _BATCH)]:
        unexpected += _note(ledger, batch)
    return unexpected


def _note(ledger: sqlite3.Connection, batch: list[tuple[str, int]]) -> int:
    """Note what is planned of a batch; returns how many objects are not, the records aside.

    Looked up one by one, not merged: servers differ in the order in which they list.
    """
    ledger.execute("BEGIN")
    ledger.executemany("INSERT INTO listed VALUES (?, ?)", batch)
    ledger.execute(
        "INSERT OR REPLACE INTO found "
        "SELECT p.path, p.tile, p.output, l.size FROM listed l JOIN planned p ON p.path = l.path"
    )
    others = ledger.execute(
        "SELECT path FROM listed l WHERE NOT EXISTS (SELECT 1 FROM planned p WHERE p.path = l.path)"
    )
    unexpected = sum(not is_record(path.rpartition("/")[2]) for (path,) in others)
    ledger.execute("DELETE FROM listed")
    ledger.execute("COMMIT")
    return unexpected
