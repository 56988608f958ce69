"""Delivered tiles: what the service left on the bucket, held against what it planned and what it says it did.

The API has no endpoint for tiles. The plan is ``featureManifest-<id>.gpkg`` and the account of the processing
``execution-<id>.sqlite``, both in the root folder of the delivery (documented); DONE alone proves nothing.
"""

from __future__ import annotations

import sqlite3
import struct
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import GarbledReplyError, IncompleteDeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from airflow_provider_sentinelhub.client.models import BatchRequest

_ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
_NO_DATA = "no data"
_NAMED = 5


@dataclass
class Tile:
    """One tile: ``bounds`` are minx, miny, maxx, maxy in ``crs``, ``width`` and ``height`` pixels.

    ``outputs`` gives the location of each delivered output, ``{"NDVI": "s3://…/NDVI.tif"}``.
    """

    name: str
    crs: str
    bounds: tuple[float, float, float, float]
    width: int
    height: int
    outputs: dict[str, str] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "name": self.name,
            "crs": self.crs,
            "bounds": list(self.bounds),
            "width": self.width,
            "height": self.height,
            "outputs": dict(self.outputs),
        }


@dataclass(frozen=True)
class DeliveryFolder:
    """The folder that holds a request's manifest and execution database."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, request: BatchRequest) -> DeliveryFolder:
        """Read it from a request's definition.

        The rule is that of the vendor's own programs: ``/<requestId>`` is appended to a URL without
        placeholders, and everything from the first path segment that still holds one is dropped.
        """
        output = request.definition.get("output")
        delivery = output.get("delivery") if isinstance(output, dict) else None
        s3 = delivery.get("s3") if isinstance(delivery, dict) else None
        url = str(s3.get("url") if isinstance(s3, dict) else "")
        bucket, _, path = url.removeprefix("s3://").partition("/")
        if not url.startswith("s3://") or not bucket:
            raise GarbledReplyError(
                f"Batch request {request.id} does not deliver to S3 ({url or 'no URL'}): "
                "its tiles cannot be listed from here."
            )
        path = path.rstrip("/") if "<" in path else f"{path.rstrip('/')}/<requestId>"
        segments = path.replace("<requestId>", request.id).lstrip("/").split("/")
        fixed = next((i for i, segment in enumerate(segments) if "<" in segment), len(segments))
        return cls(bucket, "/".join(segments[:fixed]))

    def key(self, name: str) -> str:
        """Return the key of a file in the folder."""
        return f"{self.prefix}/{name}" if self.prefix else name


def has_tiles(request: BatchRequest) -> bool:
    """Whether it delivers a file per tile to S3, as `list_tiles` needs it: a Zarr has none."""
    output = request.definition.get("output")
    output = output if isinstance(output, dict) else {}
    return output.get("type") != "zarr" and "s3" in (output.get("delivery") or {})


def delivery_place(request: BatchRequest) -> str:
    """Return the folder that a request delivers to, or the URL it was given if that is not on S3."""
    output = request.definition.get("output")
    delivery = output.get("delivery") if isinstance(output, dict) else None
    if isinstance(delivery, dict) and "s3" not in delivery:
        urls = (place.get("url") for place in delivery.values() if isinstance(place, dict))
        return str(next(urls, ""))
    folder = DeliveryFolder.of(request)
    return f"s3://{folder.bucket}/{folder.prefix}"


def list_tiles(s3: S3Client, request: BatchRequest) -> list[Tile]:
    """List the tiles that a DONE request delivered, ordered by name, each with all its outputs.

    Tiles in which the service found no data are left out. Raises `IncompleteDeliveryError` when a tile
    failed, is still pending, or is not on the bucket; botocore's ``ClientError`` when the bucket cannot be
    read.
    """
    folder = DeliveryFolder.of(request)
    with tempfile.TemporaryDirectory() as temporary:
        manifest = _fetch(s3, folder, f"featureManifest-{request.id}.gpkg", Path(temporary))
        execution = _fetch(s3, folder, f"execution-{request.id}.sqlite", Path(temporary))
        planned = list(_planned(manifest)) if manifest else []
        account = _account(execution) if execution else {}
    if manifest is None:
        raise IncompleteDeliveryError(
            request.id, f"is DONE, but its feature manifest is not in s3://{folder.bucket}/{folder.prefix}."
        )
    present = _present(s3, planned)
    tiles: dict[str, Tile] = {}
    empty: set[str] = set()
    problems: dict[str, str] = {}
    for tile, output_id, location in planned:
        state, error = account.get(tile.name, ("", ""))
        if state == "DONE" and error.strip().lower().startswith(_NO_DATA):
            empty.add(tile.name)
        elif state not in ("DONE", ""):
            problems[tile.name] = f"{state}{': ' + error if error else ''}"
        elif location not in present:
            problems.setdefault(tile.name, f"{output_id} is not on the bucket")
        else:
            tiles.setdefault(tile.name, tile).outputs[output_id] = location
    if problems:
        named = "; ".join(f"{name} ({why})" for name, why in sorted(problems.items())[:_NAMED])
        rest = f" and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        expected = len({tile.name for tile, _, _ in planned})
        raise IncompleteDeliveryError(
            request.id,
            f"is DONE, but {len(problems)} of {expected} tiles were not delivered: {named}{rest}.",
        )
    return [tiles[name] for name in sorted(tiles)]


def _fetch(s3: S3Client, folder: DeliveryFolder, name: str, into: Path) -> Path | None:
    from botocore.exceptions import ClientError

    try:
        s3.download_file(folder.bucket, folder.key(name), str(into / name))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in ("404", "NoSuchKey"):
            return None
        raise
    return into / name


def _planned(manifest: Path) -> Iterator[tuple[Tile, str, str]]:
    """Go through the manifest: tile, output id and location of each file that the service planned."""
    with closing(sqlite3.connect(f"file:{manifest}?mode=ro", uri=True)) as database:
        try:
            layers = database.execute(
                "SELECT c.table_name, g.column_name, s.organization, s.organization_coordsys_id "
                "FROM gpkg_contents c JOIN gpkg_geometry_columns g USING (table_name) "
                "JOIN gpkg_spatial_ref_sys s ON s.srs_id = g.srs_id "
                "WHERE c.data_type = 'features' ORDER BY 1"
            ).fetchall()
            for table, geometry, organization, code in layers:
                rows = database.execute(
                    f'SELECT outputId, identifier, path, width, height, "{geometry}" FROM "{table}"'  # noqa: S608
                )
                for output_id, name, path, width, height, blob in rows:
                    crs = f"{organization.upper()}:{code}"
                    yield Tile(name, crs, _bounds(blob), width, height), output_id, path
        except sqlite3.DatabaseError as error:
            raise GarbledReplyError(
                f"The feature manifest cannot be read ({error}). It may be half uploaded: try again."
            ) from error


def _account(execution: Path) -> dict[str, tuple[str, str]]:
    """Read the execution database: status and error of each tile by its name."""
    with closing(sqlite3.connect(f"file:{execution}?mode=ro", uri=True)) as database:
        try:
            rows = database.execute("SELECT name, status, error FROM features").fetchall()
        except sqlite3.DatabaseError as error:
            raise GarbledReplyError(
                f"The execution database cannot be read ({error}). It may be half uploaded: try again."
            ) from error
    return {str(name): (str(status or ""), str(error or "")) for name, status, error in rows}


def _bounds(blob: bytes) -> tuple[float, float, float, float]:
    """Return minx, miny, maxx, maxy of a GeoPackage geometry (OGC 12-128r18, clause 2.1.3)."""
    from shapely import from_wkb

    if blob[:2] != b"GP":
        raise GarbledReplyError("The feature manifest holds a geometry that is not GeoPackage's.")
    kind = blob[3] >> 1 & 7
    if kind:
        order = "<" if blob[3] & 1 else ">"
        west, east, south, north = struct.unpack_from(f"{order}4d", blob, 8)
        return west, south, east, north
    west, south, east, north = from_wkb(blob[8 + _ENVELOPE_BYTES[kind] :]).bounds
    return west, south, east, north


def _present(s3: S3Client, planned: list[tuple[Tile, str, str]]) -> set[str]:
    """List what is on the bucket below the folder that the planned locations have in common."""
    split = [location.removeprefix("s3://").partition("/") for _, _, location in planned]
    found: set[str] = set()
    for bucket in {bucket for bucket, _, _ in split}:
        keys = [key for of, _, key in split if of == bucket]
        # The keys between the first and the last share whatever those two share.
        first, last = min(keys), max(keys)
        common = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=first[:common])
        found.update(f"s3://{bucket}/{item['Key']}" for page in pages for item in page.get("Contents", ()))
    return found
