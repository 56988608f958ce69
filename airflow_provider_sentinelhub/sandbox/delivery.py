"""Where results go: the delivery URL's template, and the bucket seen with a request's own credentials."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

PLACEHOLDERS = ("requestId", "tileName", "tileId", "outputId", "format")
_PLACEHOLDER = re.compile(r"<([^<>]*)>")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

_PASSING = {"RequestTimeout", "SlowDown", "RequestTimeTooSkewed"}  # 4xx that a second try may not meet
_CLIENTS_KEPT = 32
_CLIENT_SECONDS = 900.0  # a role's temporary credentials live an hour


class BucketRefusedError(Exception):
    """The bucket does not exist, or refuses the credentials of the request."""


class BucketUnavailableError(Exception):
    """The object storage did not answer, or not sensibly; trying again may help."""


@dataclass(frozen=True)
class Destination:
    """A parsed delivery URL: ``s3://bucket/path``, with or without placeholders."""

    bucket: str
    template: str  # of a key; empty for the bucket itself
    is_folder: bool = False  # all goes into this one folder, a Zarr group

    @classmethod
    def parse(cls, url: str, *, is_folder: bool = False) -> Destination:
        """Parse a delivery URL; raises `ValueError` with the fault."""
        scheme, separator, rest = url.partition("://")
        if scheme != "s3" or not separator:
            raise ValueError("must be a URL of the form s3://bucket/path")
        bucket, _, path = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise ValueError("does not name a valid bucket")
        return cls(bucket, path.strip("/"), is_folder)

    @property
    def placeholders(self) -> list[str]:
        """The placeholders used, unknown ones included; a bracket without a partner counts as one."""
        rest = _PLACEHOLDER.sub("", self.template)
        return [*_PLACEHOLDER.findall(self.template), *(bracket for bracket in rest if bracket in "<>")]

    @property
    def _full_template(self) -> str:
        """The template, or what a URL without placeholders means: everything in folders below it."""
        if self.is_folder:
            return f"{self.template}/".lstrip("/")
        if "<" in self.template:
            return self.template
        return f"{self.template}/<requestId>/<tileName>/<outputId>.<format>".lstrip("/")

    def tile_key(self, request_id: str, tile_name: str, tile_id: int, output_id: str, extension: str) -> str:
        """Return the key of one output of one tile."""
        values = {
            "requestId": request_id,
            "tileName": tile_name,
            "tileId": str(tile_id),
            "outputId": output_id,
            "format": extension,
        }
        return _PLACEHOLDER.sub(lambda match: values[match[1]], self._full_template)

    def root_key(self, request_id: str, name: str) -> str:
        """Return the key of a file in the root folder: the folders that are the same for all tiles.

        For Zarr this is the group itself (assumed for the files about the request).
        """
        folders, _, _ = self.common_prefix(request_id).rpartition("/")
        return f"{folders}/{name}".lstrip("/")

    def common_prefix(self, request_id: str) -> str:
        """Return the longest prefix that the keys of all tiles share."""
        return self._full_template.replace("<requestId>", request_id).partition("<")[0]

    def uri(self, key: str) -> str:
        """Return the full URI of a key in this bucket."""
        return f"s3://{self.bucket}/{key}"


class Bucket:
    """One bucket, seen with one set of credentials. All methods block."""

    def __init__(self, client: S3Client, name: str) -> None:
        self._client, self._name = client, name

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        with _translated():
            self._client.put_object(Bucket=self._name, Key=key, Body=content)

    def download(self, key: str, path: Path, *, most_bytes: int) -> None:
        """Read an object into a file; raises `BucketRefusedError` if it has more than `most_bytes`."""
        with _translated():
            answer = self._client.get_object(Bucket=self._name, Key=key)
            if answer["ContentLength"] > most_bytes:
                raise BucketRefusedError(f"the sandbox reads files of up to {most_bytes >> 20} MB")
            with path.open("wb") as file:
                for chunk in answer["Body"].iter_chunks(1 << 20):
                    file.write(chunk)

    def keys(self, prefix: str) -> set[str]:
        """Return all keys below a prefix."""
        with _translated():
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
            return {item["Key"] for page in pages for item in page.get("Contents", [])}


class ClientCache:
    """The S3 clients last used, by credentials: making one costs as much as a dozen calls."""

    def __init__(self, connect: Callable[[dict[str, str]], S3Client]) -> None:
        self._connect = connect
        self._clients: OrderedDict[tuple[tuple[str, str], ...], tuple[float, S3Client]] = OrderedDict()
        self._lock = threading.Lock()

    def bucket(self, credentials: dict[str, str], name: str) -> Bucket:
        """Return a bucket as these credentials see it; raises like the methods of `Bucket`."""
        key = tuple(sorted(credentials.items()))
        with self._lock:
            made, client = self._clients.pop(key, (0.0, None))
            if client is None or time.monotonic() > made + _CLIENT_SECONDS:
                with _translated():
                    made, client = time.monotonic(), self._connect(credentials)
            self._clients[key] = made, client
            while len(self._clients) > _CLIENTS_KEPT:
                self._clients.popitem(last=False)
        return Bucket(client, name)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn boto's errors into ours; the words are the bucket's, without anything secret."""
    try:
        yield
    except ClientError as error:
        answer: dict[str, Any] = dict(error.response.get("Error", {}))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        words = f"{answer.get('Code', status)}: {answer.get('Message', '')}".rstrip(": ")
        if status < 500 and answer.get("Code") not in _PASSING:
            raise BucketRefusedError(words) from error
        raise BucketUnavailableError(words) from error
    except ParamValidationError as error:
        raise BucketRefusedError("InvalidArgument") from error
    except BotoCoreError as error:
        raise BucketUnavailableError(type(error).__name__) from error
