"""Ask for just those tiles of a request that were not delivered, at the same places.

Two ways. A GeoPackage of the lost tiles: nothing else is looked at or paid. Or the whole request again with
``skipExisting``, where a GeoPackage cannot say it (buffers, tiles of more than 3,500 pixels, ``<tileId>``
in the paths): tiles without data are then looked at again. Zarr cannot be repaired: the service writes a
group once.
"""

from __future__ import annotations

import copy
import re
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.delivery import files
from airflow_provider_sentinelhub.client.delivery.folder import (
    DeliveryFolder,
    manifest_name,
    repair_features_name,
    template_of,
)
from airflow_provider_sentinelhub.client.errors import RepairError, UnreadableDeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client

    from airflow_provider_sentinelhub.client.definition import BucketKeys
    from airflow_provider_sentinelhub.client.delivery.ledger import Ledger
    from airflow_provider_sentinelhub.client.models import BatchRequest

_MARK = re.compile(r"\[repair (\d+) of ([0-9a-fA-F-]{36})\]")
# The largest feature that the service takes in a GeoPackage, in pixels a side (documented).
_LARGEST_FEATURE = 3500
_SECRETS = ("accessKey", "secretAccessKey")


@dataclass(frozen=True)
class Repair:
    """That a request repairs another one: the mark in its description."""

    number: int
    original_id: str

    @classmethod
    def of(cls, request: BatchRequest) -> Repair | None:
        """Read a request's mark; None if it repairs nothing."""
        found = _MARK.search(request.description)
        return cls(int(found[1]), found[2]) if found else None

    def __str__(self) -> str:
        return f"[repair {self.number} of {self.original_id}]"


def repair_definition(
    s3: S3Client, ledger: Ledger, repair: Repair, keys: BucketKeys | None
) -> dict[str, Any]:
    """Return the wire form of a request for the lost tiles; lays their GeoPackage beside the delivery.

    ``keys`` are the bucket's, which the service only ever shows masked; None where it assumes a role. Raises
    `RepairError` where the tiles cannot be asked for alone.
    """
    original = ledger.request
    wire: dict[str, Any] = copy.deepcopy(dict(original.definition))
    output = wire.get("output") or {}
    if output.get("type") == "zarr":
        raise RepairError(
            original.id, "delivers Zarr, which the service writes once: create it anew elsewhere."
        )
    bucket, template = template_of(original)
    s3_delivery = _with_keys(original, output["delivery"]["s3"], keys)
    s3_delivery["url"] = f"s3://{bucket}/{template.replace('<requestId>', original.id)}"
    output = {key: value for key, value in output.items() if key != "createCollection"}
    # A tile of which only some outputs are there is written whole.
    wire["output"] = {**output, "delivery": {"s3": s3_delivery}, "overwrite": True, "skipExisting": False}
    wire["description"] = str(repair)
    if _fits_a_geopackage(ledger, template):
        url = _upload_features(s3, ledger, repair)
        wire["input"] = {"type": "geopackage", "features": {"s3": {**s3_delivery, "url": url}}}
    else:
        wire["input"] = _input_with_keys(original, wire["input"], keys)
        wire["output"]["skipExisting"] = True
    return wire


def check_plan(s3: S3Client, original: BatchRequest, repair: BatchRequest) -> None:
    """Raise `RepairError` unless an analysed repair will write only where the original was to write.

    To be asked before anything is paid.
    """
    with tempfile.TemporaryDirectory(prefix="sentinelhub-") as temporary:
        strays = set(_paths(_manifest(s3, repair, Path(temporary))))
        strays.difference_update(_paths(_manifest(s3, original, Path(temporary))))
    elsewhere = sorted(strays)
    if elsewhere:
        raise RepairError(
            repair.id,
            f"would write {len(elsewhere)} files that are not of request {original.id}, such as "
            f"{elsewhere[0]}. It was not started and nothing was paid.",
        )


def _manifest(s3: S3Client, request: BatchRequest, home: Path) -> Path:
    folder = DeliveryFolder.of(request)
    manifest = files.fetch(s3, folder, manifest_name(request.id), home)
    if manifest is None:
        raise UnreadableDeliveryError(
            f"The feature manifest of batch request {request.id} is not in {folder.url}."
        )
    return manifest


def _paths(manifest: Path) -> Iterator[str]:
    with closing(sqlite3.connect(files.read_only(manifest), uri=True)) as database:
        layers = database.execute(
            "SELECT table_name FROM gpkg_contents WHERE data_type = 'features'"
        ).fetchall()
        for (layer,) in layers:
            for (path,) in database.execute(f'SELECT path FROM "{layer}"'):  # noqa: S608
                yield path


def _fits_a_geopackage(ledger: Ledger, template: str) -> bool:
    of_grid = ledger.request.definition.get("input") or {}
    if of_grid.get("bufferX") or of_grid.get("bufferY") or "<tileId>" in template or not find_spec("pyproj"):
        return False
    return all(max(tile.width, tile.height) <= _LARGEST_FEATURE for tile, _ in ledger.lost_features())


def _upload_features(s3: S3Client, ledger: Ledger, repair: Repair) -> str:
    from shapely import from_wkb

    from airflow_provider_sentinelhub.client.geopackage import Feature, write_geopackage

    features = (
        Feature(tile.name, from_wkb(outline), tile.crs, width=tile.width, height=tile.height)
        for tile, outline in ledger.lost_features()
    )
    key = ledger.folder.key(repair_features_name(repair.original_id, repair.number))
    with tempfile.TemporaryDirectory(prefix="sentinelhub-") as temporary:
        path = Path(temporary) / "features.gpkg"
        write_geopackage(path, features)
        s3.upload_file(str(path), ledger.folder.bucket, key)
    return f"s3://{ledger.folder.bucket}/{key}"


def _input_with_keys(original: BatchRequest, wire: dict[str, Any], keys: BucketKeys | None) -> dict[str, Any]:
    features = wire.get("features")
    if not isinstance(features, dict) or "s3" not in features:
        return wire
    return {**wire, "features": {**features, "s3": _with_keys(original, features["s3"], keys)}}


def _with_keys(original: BatchRequest, s3: Mapping[str, Any], keys: BucketKeys | None) -> dict[str, Any]:
    """Put the bucket's keys where the service shows stars."""
    plain = {key: value for key, value in s3.items() if key not in _SECRETS}
    if plain.get("iamRoleARN"):
        return plain
    if keys is None:
        raise RepairError(
            original.id,
            "delivers with keys, which the service shows to nobody: name their AWS connection in "
            "delivery_aws_conn_id.",
        )
    return {**plain, "accessKey": keys.access_key, "secretAccessKey": keys.secret_key}
