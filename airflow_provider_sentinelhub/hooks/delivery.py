"""From Airflow connections of AWS and Google Cloud to the buckets of batch requests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.definition.storage import BucketKeys, GoogleKey
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from mypy_boto3_s3 import S3Client


def bucket_client(aws_conn_id: str | None) -> S3Client:
    """Return the S3 client of an AWS connection, its endpoint and region included.

    Without one (None), of whatever boto3 finds by itself.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    hook = S3Hook(aws_conn_id=aws_conn_id)
    _mask(hook)
    client: S3Client = hook.get_conn()
    return client


def read_tiles(item: Mapping[str, Any], aws_conn_id: str = "aws_default") -> list[dict[str, Any]]:
    """Return the tile records of what `SentinelHubTilesSensor` has handed over: of a tile or of a chunk.

    Or of a partition: ``{**event.extra, "partition_key": key}`` of an asset event with a partition for each
    chunk. Raises `UnreadableDeliveryError` for a chunk of an index that was replaced since.
    """
    from airflow_provider_sentinelhub.client.delivery.index import chunk_of, is_chunk, read_chunk

    if not is_chunk(item):
        return [dict(item)]
    chunk = chunk_of(item["partition_key"], item) if "partition_key" in item else item
    return read_chunk(bucket_client(aws_conn_id), chunk)


def _mask(hook: S3Hook) -> None:
    """Keep the access key's id out of the task's log, too: at debug level, botocore names it in each call."""
    from airflow.sdk.log import mask_secret

    if hook.get_session().get_credentials() is not None:
        mask_secret(hook.get_credentials().access_key)


def delivery_keys(aws_conn_id: str) -> BucketKeys:
    """Return the keys of an AWS connection, to be handed to Sentinel Hub for its delivery.

    Raises `DefinitionError` for credentials that cannot be handed over: none, or temporary ones.
    """
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    remedy = "Use an AWS connection with a key pair of its own, or iam_role_arn"
    hook = S3Hook(aws_conn_id=aws_conn_id)
    if hook.get_session().get_credentials() is None:
        fault = Fault("delivery_aws_conn_id", f"connection {aws_conn_id!r} holds no keys", remedy)
        raise DefinitionError([fault])
    _mask(hook)
    found = hook.get_credentials()
    if found.token or not found.access_key or not found.secret_key:
        fault = Fault(
            "delivery_aws_conn_id",
            f"the credentials of connection {aws_conn_id!r} are temporary, which Sentinel Hub cannot take",
            remedy,
        )
        raise DefinitionError([fault])
    return BucketKeys(found.access_key, found.secret_key)


def google_key(gcp_conn_id: str) -> GoogleKey:
    """Return the service account of a Google Cloud connection, to be handed to Sentinel Hub for its delivery.

    It is read from the connection's ``keyfile_dict`` or from the file at its ``key_path``. Raises
    `DefinitionError` where there is none.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from airflow.sdk.log import mask_secret

    field, remedy = "delivery_gcp_conn_id", "Put the service account's JSON key into its keyfile_dict"
    try:
        extra = BaseHook.get_connection(gcp_conn_id).extra_dejson
    except AirflowNotFoundException:
        fault = Fault(field, f"there is no connection {gcp_conn_id!r}", "Create it, or mend its name")
        raise DefinitionError([fault]) from None
    account, path = extra.get("keyfile_dict"), extra.get("key_path")
    if not account and path:
        try:
            account = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            problem = f"the key_path of connection {gcp_conn_id!r} cannot be read ({type(error).__name__})"
            raise DefinitionError([Fault(field, problem, remedy)]) from None
    if not account:
        raise DefinitionError([Fault(field, f"connection {gcp_conn_id!r} holds no key", remedy)])
    key = GoogleKey.of(account)
    mask_secret(key.credentials)
    return key


def credentials(kind: str, conn_id: str) -> BucketKeys | GoogleKey:
    """Return the credentials of a connection, ``aws`` or ``gcp``, as a definition asks for them."""
    return delivery_keys(conn_id) if kind == "aws" else google_key(conn_id)
