"""Hand tiles over: as they are while they are few, else as pieces of an index that lies beside the delivery.

The index is a file of JSON lines, a tile a line, so that a piece of it is a range of bytes: whoever maps over
the pieces reads just theirs.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.delivery.folder import index_name
from airflow_provider_sentinelhub.client.errors import UnreadableDeliveryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client

    from airflow_provider_sentinelhub.client.delivery.ledger import Ledger


def write_index(s3: S3Client, ledger: Ledger, chunk_size: int, max_chunks: int) -> list[dict[str, Any]]:
    """Write the index of all delivered tiles; returns its chunks, each of ``chunk_size`` tiles or fewer.

    Where that would be more than ``max_chunks``, the chunks are made larger. A chunk says where it lies
    (``index``, ``etag``, ``offset`` and ``length`` in bytes), how many ``tiles`` it has, and its ``first``
    and ``last`` tile. An index of an earlier time is replaced; its chunks then no longer hold.
    """
    size = max(chunk_size, math.ceil(ledger.report.delivered / max_chunks))
    key = ledger.folder.key(index_name(ledger.request.id))
    chunks: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="sentinelhub-") as temporary:
        path = Path(temporary) / "tiles.jsonl"
        with path.open("wb") as file:
            for number, tile in enumerate(ledger.tiles()):
                if number % size == 0:
                    chunks.append({"offset": file.tell(), "tiles": 0, "first": tile.name})
                file.write(json.dumps(tile.to_record(), separators=(",", ":")).encode() + b"\n")
                chunk = chunks[-1]
                chunk["tiles"] += 1
                chunk["last"] = tile.name
                chunk["length"] = file.tell() - chunk["offset"]
        s3.upload_file(str(path), ledger.folder.bucket, key, ExtraArgs={"ContentType": "application/jsonl"})
    etag = s3.head_object(Bucket=ledger.folder.bucket, Key=key)["ETag"]
    index = f"s3://{ledger.folder.bucket}/{key}"
    return [{"index": index, "etag": etag, **chunk} for chunk in chunks]


def is_chunk(item: Mapping[str, Any]) -> bool:
    """Whether what was handed over is a chunk, not a tile."""
    return "index" in item


def partition_key(chunk: Mapping[str, Any]) -> str:
    """Return a chunk's key among the partitions of an asset: where it lies in the index, and its tiles."""
    return f"{chunk['offset']}+{chunk['length']}/{chunk['tiles']}"


def chunk_of(key: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chunk that a partition key stands for; ``event`` is the asset event's extra."""
    found = re.fullmatch(r"(\d+)\+(\d+)/(\d+)", key)
    if found is None:
        raise UnreadableDeliveryError(f"{key!r} is not the partition key of a chunk.")
    offset, length, tiles = map(int, found.groups())
    return {
        "index": event["index"],
        "etag": event["etag"],
        "offset": offset,
        "length": length,
        "tiles": tiles,
    }


def read_chunk(s3: S3Client, chunk: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tiles of a chunk; `UnreadableDeliveryError` if the index was replaced since."""
    from botocore.exceptions import ClientError

    bucket, _, key = str(chunk["index"]).removeprefix("s3://").partition("/")
    first = int(chunk["offset"])
    try:
        answer = s3.get_object(
            Bucket=bucket,
            Key=key,
            Range=f"bytes={first}-{first + int(chunk['length']) - 1}",
            IfMatch=str(chunk["etag"]),
        )
        lines = answer["Body"].read().splitlines()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in (
            "412",
            "PreconditionFailed",
            "404",
            "NoSuchKey",
        ):
            raise
        raise UnreadableDeliveryError(
            f"{chunk['index']} is no longer the index that this chunk was cut from. "
            "Clear the task that lists the tiles, so that they are handed over anew."
        ) from error
    tiles: list[dict[str, Any]] = [json.loads(line) for line in lines]
    if len(tiles) != chunk["tiles"]:
        raise UnreadableDeliveryError(
            f"{chunk['index']} holds {len(tiles)} tiles where {chunk['tiles']} should be."
        )
    return tiles
