"""What a connection may do with a bucket, tried out before anything is created."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.delivery.folder import root_of
from airflow_provider_sentinelhub.client.errors import Fault
from airflow_provider_sentinelhub.hooks.delivery import bucket_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

_REFUSALS = ("401", "403", "AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId")
# One name: what cannot be removed does not pile up.
_TRIAL = ".write-check"
_URL, _CONNECTION = "delivery_url", "delivery_aws_conn_id"


def bucket_faults(aws_conn_id: str, url: str) -> Iterator[Fault]:
    """Ask for the bucket that ``url`` names, and say what is wrong with it or with the rights on it."""
    bucket, _ = _split(url)
    faults: list[Fault] = []
    with _naming(faults, aws_conn_id, bucket, "s3:ListBucket, s3:GetObject and s3:PutObject"):
        bucket_client(aws_conn_id).head_bucket(Bucket=bucket)
    yield from faults


def write_faults(aws_conn_id: str, url: str) -> Iterator[Fault]:
    """Write a tiny object into a delivery's folder and delete it, and say what is wrong.

    The service need not delete anything: rights that lack just that are no fault.
    """
    bucket, key = _split(f"{root_of(url)}/{_TRIAL}")
    faults: list[Fault] = []
    s3 = bucket_client(aws_conn_id)
    with _naming(faults, aws_conn_id, bucket, "s3:PutObject", doing="to write to"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    if not faults:
        _remove(s3, bucket, key)
    yield from faults


def read_faults(aws_conn_id: str, url: str, names: tuple[str, str]) -> Iterator[Fault]:
    """Ask for one object; ``names`` are what the author calls its URL and the connection."""
    bucket, key = _split(url)
    faults: list[Fault] = []
    with _naming(
        faults, aws_conn_id, bucket, "s3:GetObject", doing=f"to read {key!r} in", names=names, key=key
    ):
        bucket_client(aws_conn_id).head_object(Bucket=bucket, Key=key)
    yield from faults


def _remove(s3: S3Client, bucket: str, key: str) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        s3.delete_object(Bucket=bucket, Key=key)
    except (ClientError, BotoCoreError) as error:
        logging.getLogger(__name__).info("s3://%s/%s is left there: %s", bucket, key, error)


@contextmanager
def _naming(
    faults: list[Fault],
    conn_id: str,
    bucket: str,
    rights: str,
    *,
    doing: str = "on",
    names: tuple[str, str] = (_URL, _CONNECTION),
    key: str = "",
) -> Iterator[None]:
    """Make a fault of what the storage answers."""
    from botocore.exceptions import BotoCoreError, ClientError

    url, connection = names
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("404", "NoSuchBucket", "NoSuchKey"):
            what = f"object {key!r} in bucket {bucket!r}" if key else f"bucket {bucket!r}"
            faults.append(Fault(url, f"there is no {what}", "Create it, or mend its name"))
        elif code in _REFUSALS:
            problem = f"connection {conn_id!r} has no rights {doing} bucket {bucket!r} ({code})"
            faults.append(Fault(connection, problem, f"Check its keys, and allow them {rights} there"))
        else:
            faults.append(Fault(url, f"bucket {bucket!r} answers {code}", "Check its name and region"))
    except BotoCoreError as error:
        problem = f"the storage of connection {conn_id!r} cannot be reached ({type(error).__name__})"
        faults.append(Fault(connection, problem, "Check the connection's endpoint_url and region_name"))


def _split(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    return bucket, key
