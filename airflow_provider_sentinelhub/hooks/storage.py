"""Where small results of a task go: a local path, or the URL of an object storage."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_S3 = "s3"


class Storage:
    """Files below a local folder or an object storage's URL.

    ``s3://`` goes through Airflow's S3Hook, as everything of this package does (``conn_id`` is then an AWS
    connection, ``aws_default`` unless given); any other URL through Airflow's ObjectStoragePath, with the
    connection if one is given. The provider of that storage has to be installed.
    """

    def __init__(self, conn_id: str | None = None) -> None:
        self.conn_id = conn_id

    def faults(self, paths: Sequence[str]) -> Iterator[Fault]:
        """Name what keeps files from being written to these paths of one place, as far as can be seen."""
        path = paths[0]
        scheme = _scheme(path)
        if scheme and not path.partition("://")[2].partition("/")[2]:
            yield Fault("path", f"{path} names no file", "Add the file's name, or end it with a slash")
        elif scheme == _S3:
            from airflow_provider_sentinelhub.hooks.rights import bucket_faults

            names = {"delivery_url": "path", "delivery_aws_conn_id": "storage_conn_id"}
            for fault in bucket_faults(self._aws_conn_id, path):
                yield replace(fault, field=names[fault.field])
        elif scheme:
            try:
                self._object(path).fs  # noqa: B018
            except (ImportError, ValueError) as error:
                remedy = "Install the provider of that storage, or give another URL or a local path"
                yield Fault("path", f"{scheme}:// cannot be used here ({error})", remedy)
        else:
            for target in map(Path, paths):
                parent = next(folder for folder in target.absolute().parents if folder.exists())
                if target.is_dir():
                    yield Fault(
                        "path", f"{target} is a folder", "Give the file's name, or end it with a slash"
                    )
                elif not parent.is_dir() or not os.access(parent, os.W_OK):
                    yield Fault(
                        "path", f"nothing can be written to {parent}", "Give a path in a folder of yours"
                    )

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write the content of each path or URL; what is there is replaced, and never half a file is left."""
        for path, content in files.items():
            scheme = _scheme(path)
            if scheme == _S3:
                self._put(path, content)
            elif scheme:
                self._object(path).write_bytes(content)
            else:
                _write_local(Path(path), content)

    def _put(self, url: str, content: bytes) -> None:
        from airflow_provider_sentinelhub.hooks.delivery import bucket_client

        bucket, _, key = url.removeprefix("s3://").partition("/")
        bucket_client(self._aws_conn_id).put_object(Bucket=bucket, Key=key, Body=content)

    def _object(self, url: str) -> Any:
        from airflow.sdk import ObjectStoragePath

        return ObjectStoragePath(url, conn_id=self.conn_id)

    @property
    def _aws_conn_id(self) -> str:
        return self.conn_id or "aws_default"


def _scheme(path: str) -> str:
    return path.partition("://")[0].lower() if "://" in path else ""


def _write_local(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
