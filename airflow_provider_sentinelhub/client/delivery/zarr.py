"""Hold a plan of tiles against the chunks of a Zarr group (format 2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.delivery.geometry import bounds_of
from airflow_provider_sentinelhub.client.errors import UnreadableDeliveryError
from airflow_provider_sentinelhub.client.listing import list_objects

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from airflow_provider_sentinelhub.client.delivery.folder import DeliveryFolder

_METADATA = (".zgroup", ".zattrs", ".zmetadata", ".zarray")
_BATCH = 10_000


def scan(s3: S3Client, ledger: sqlite3.Connection, folder: DeliveryFolder, *, upwards: bool) -> int:
    """Note of each tile and output the bytes of its chunks; returns how many foreign objects lie among them.

    ``upwards``: rows are counted from the south (``coordinates.origin`` is ``bottomLeft``). The arrays cover
    the box of all tiles (assumed: where they do not, chunks are looked for at the wrong tiles).
    Nothing is noted for an output whose array is not there. A chunk that holds only the fill value is never
    written, so that a tile without any chunk gets 0 bytes: blank, or lost.
    """
    [group] = ledger.execute("SELECT min(path) FROM planned").fetchone()
    root = f"s3://{folder.bucket}/"
    if not group.startswith(root):
        raise UnreadableDeliveryError(
            f"The feature manifest plans a group outside the bucket {folder.bucket}."
        )
    prefix = group[len(root) :].rstrip("/") + "/"
    outputs = [name for (name,) in ledger.execute("SELECT DISTINCT output FROM planned ORDER BY 1")]
    arrays = {name: array for name in outputs if (array := _array(s3, folder.bucket, f"{prefix}{name}/"))}
    ledger.execute("CREATE TABLE chunk (output TEXT, r INTEGER, c INTEGER, size INTEGER)")
    unexpected = 0
    batch: list[tuple[str, int, int, int]] = []
    for item in list_objects(s3, folder.bucket, prefix):
        head, _, name = item.key[len(prefix) :].partition("/")
        if head in arrays and name not in _METADATA:
            at = arrays[head].position(name)
            if at is None:
                unexpected += 1
                continue
            batch.append((head, *at, item.size))
            if len(batch) >= _BATCH:
                ledger.executemany("INSERT INTO chunk VALUES (?, ?, ?, ?)", batch)
                batch.clear()
    ledger.executemany("INSERT INTO chunk VALUES (?, ?, ?, ?)", batch)
    ledger.execute("CREATE INDEX chunk_at ON chunk (output, r, c)")
    _note(ledger, arrays, upwards=upwards)
    return unexpected


class _Array:
    """What ``.zarray`` says: the last two axes are y and x, whatever comes before."""

    def __init__(self, name: str, meta: dict[str, Any]) -> None:
        try:
            self.shape = [int(size) for size in meta["shape"]]
            self.chunks = [int(size) for size in meta["chunks"]]
            self._separator = str(meta.get("dimension_separator", "."))
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableDeliveryError(f"{name}.zarray does not describe an array.") from error
        if len(self.shape) < 2 or len(self.shape) != len(self.chunks) or min(self.chunks) < 1:
            raise UnreadableDeliveryError(f"{name}.zarray does not describe a raster.")

    def position(self, name: str) -> tuple[int, int] | None:
        """Return row and column of a chunk by its name; None for what is no chunk of this array."""
        parts = name.split(self._separator)
        if len(parts) != len(self.shape) or not all(part.isdigit() for part in parts):
            return None
        row, column = int(parts[-2]), int(parts[-1])
        inside = row * self.chunks[-2] < self.shape[-2] and column * self.chunks[-1] < self.shape[-1]
        return (row, column) if inside else None


def _array(s3: S3Client, bucket: str, prefix: str) -> _Array | None:
    from botocore.exceptions import ClientError

    try:
        text = s3.get_object(Bucket=bucket, Key=f"{prefix}.zarray")["Body"].read()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
            return None
        raise
    try:
        return _Array(prefix, dict(json.loads(text)))
    except (ValueError, TypeError) as error:
        raise UnreadableDeliveryError(f"{prefix}.zarray is not JSON.") from error


def _note(ledger: sqlite3.Connection, arrays: dict[str, _Array], *, upwards: bool) -> None:
    """Add the chunks up by tile."""
    boxes = list(_boxes(ledger))
    west, north = min(box[0] for _, box in boxes), max(box[3] for _, box in boxes)
    east, south = max(box[2] for _, box in boxes), min(box[1] for _, box in boxes)
    for output, array in arrays.items():
        height, width = array.shape[-2:]
        x_scale, y_scale = width / (east - west), height / (north - south)
        for (path, name), box in boxes:
            down = (box[1] - south, box[3] - south) if upwards else (north - box[3], north - box[1])
            rows = _span(*down, y_scale, array.chunks[-2])
            columns = _span(box[0] - west, box[2] - west, x_scale, array.chunks[-1])
            [size] = ledger.execute(
                "SELECT coalesce(sum(size), 0) FROM chunk "
                "WHERE output = ? AND r >= ? AND r < ? AND c >= ? AND c < ?",
                (output, *rows, *columns),
            ).fetchone()
            ledger.execute("INSERT INTO found VALUES (?, ?, ?, ?)", (path, name, output, size))


def _boxes(ledger: sqlite3.Connection) -> Iterator[tuple[tuple[str, str], tuple[float, float, float, float]]]:
    layers = ledger.execute("SELECT id, name, geometry FROM layer").fetchall()
    for number, table, column in layers:
        rows = ledger.execute(
            f'SELECT min(p.path), p.tile, min(m."{column}") FROM planned p '  # noqa: S608
            f'JOIN manifest."{table}" m ON m.rowid = p.fid WHERE p.layer = ? GROUP BY p.tile',
            (number,),
        )
        for path, tile, blob in rows:
            yield (path, tile), bounds_of(blob)


def _span(start: float, end: float, scale: float, chunk: int) -> tuple[int, int]:
    """Return the first chunk of a stretch and the one after its last."""
    return round(start * scale / chunk), round(end * scale / chunk)
