"""Fetch the service's own records from the bucket, and believe nothing before it is proven whole."""

from __future__ import annotations

import sqlite3
import struct
import time
from contextlib import closing
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.errors import HalfWrittenError, UnreadableDeliveryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from airflow_provider_sentinelhub.client.delivery.folder import DeliveryFolder

# The records may be uploaded anew while they are read: looked at again after these many seconds.
PAUSES = (0.5, 1.0, 2.0, 4.0)
_PIECE = 2**20
_SQLITE = b"SQLite format 3\x00"


def fetch(s3: S3Client, folder: DeliveryFolder, name: str, into: Path) -> Path | None:
    """Fetch a database file; None if it is not there.

    Raises `HalfWrittenError` for a file that is cut off or torn, `UnreadableDeliveryError` for one that is no
    database at all, botocore's ``ClientError`` when the bucket cannot be read.
    """
    path = into / name
    if not _download(s3, folder, name, path):
        return None
    _check(path, name)
    return path


def again_while_half_written(read: Callable[[bool], None]) -> None:
    """Read, and read again after a pause what was caught while it was written; the argument: the last try."""
    for pause in PAUSES:
        try:
            return read(False)
        except HalfWrittenError:
            time.sleep(pause)
    return read(True)


def _download(s3: S3Client, folder: DeliveryFolder, name: str, path: Path) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError
    from urllib3.exceptions import HTTPError

    try:
        # In one piece, not in boto3's parallel ranges: an object that is replaced meanwhile would be mixed.
        answer = s3.get_object(Bucket=folder.bucket, Key=folder.key(name))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
            return False
        raise
    try:
        with path.open("wb") as file:
            for piece in answer["Body"].iter_chunks(_PIECE):
                file.write(piece)
    except (BotoCoreError, HTTPError, OSError) as error:
        raise HalfWrittenError(f"{name} could not be read to its end ({type(error).__name__}).") from error
    if path.stat().st_size != answer["ContentLength"]:
        raise HalfWrittenError(f"{name} broke off after {path.stat().st_size} bytes.")
    return True


def read_only(path: Path) -> str:
    """Return the URI by which SQLite opens a file that nobody writes to."""
    return f"{path.as_uri()}?mode=ro&immutable=1"


def lenient_text(text: bytes) -> str:
    """Read text that may be damaged: a name that is not whole is nobody's."""
    return text.decode(errors="replace")


def _check(path: Path, name: str) -> None:
    """Hold a file against what its own header says of it, then have SQLite look at every page."""
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100:
        raise HalfWrittenError(f"{name} is cut off: it has {len(header)} bytes.")
    if not header.startswith(_SQLITE):
        raise UnreadableDeliveryError(f"{name} is not an SQLite file: somebody else has written it.")
    # https://www.sqlite.org/fileformat2.html, sections 1.3.2 and 1.3.8
    page_size = struct.unpack_from(">H", header, 16)[0]
    page_size = 65536 if page_size == 1 else page_size
    changes, pages, valid_for = (struct.unpack_from(">I", header, at)[0] for at in (24, 28, 92))
    if pages and changes == valid_for and path.stat().st_size < pages * page_size:
        raise HalfWrittenError(f"{name} is cut off: {path.stat().st_size} of {pages * page_size} bytes.")
    with closing(sqlite3.connect(read_only(path), uri=True)) as database:
        database.text_factory = lenient_text
        try:
            [verdict] = database.execute("PRAGMA quick_check(1)").fetchone()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise HalfWrittenError(f"{name} is damaged ({error}).") from error
    if verdict != "ok":
        raise HalfWrittenError(f"{name} is damaged ({verdict}).")
