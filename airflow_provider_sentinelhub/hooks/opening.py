"""Areas, definitions and evalscripts that lie on object storages."""

from __future__ import annotations

from typing import Any

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

MAX_BYTES = 512 * 1024**2
# What is smaller is kept: a definition is read more than once.
_KEPT = 1024**2


class ObjectOpener:
    """Returns what is at a URL, as ``opener`` of areas and definitions.

    ``s3://`` goes through Airflow's S3Hook: ``conn_id`` is then an AWS connection, or None for what boto3
    finds by itself. Any other URL goes through Airflow's `ObjectStoragePath`, with the connection if one is
    given; the provider of that storage has to be installed. At most 512 MiB are read.
    """

    def __init__(self, conn_id: str | None = None) -> None:
        self.conn_id = conn_id or None
        self._known: dict[str, bytes] = {}

    def __call__(self, url: str) -> bytes:
        """Return the content; `DefinitionError` if it is not there, may not be read or is too large.

        What may pass, such as a storage that cannot be reached, is raised as it is.
        """
        if url not in self._known:
            self._check_connection()
            read = self._of_s3 if url.lower().startswith("s3://") else self._of_other
            content = read(url)
            if len(content) > _KEPT:
                return content
            self._known[url] = content
        return self._known[url]

    def _check_connection(self) -> None:
        """Without this, the S3Hook would go on with keys that it finds elsewhere."""
        from airflow.sdk import BaseHook
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            if self.conn_id:
                BaseHook.get_connection(self.conn_id)
        except AirflowNotFoundException as error:
            raise _fault(f"there is no connection {self.conn_id!r}", "Create it, or mend its name") from error

    def _of_s3(self, url: str) -> bytes:
        from botocore.exceptions import ClientError, NoCredentialsError

        from airflow_provider_sentinelhub.hooks.delivery import bucket_client

        bucket, _, key = url[len("s3://") :].partition("/")
        if not bucket or not key:
            raise _fault(
                f"{url} is not the URL of one object", "Give one such as s3://my-bucket/area.geojson"
            )
        try:
            found = bucket_client(self.conn_id).get_object(Bucket=bucket, Key=key)
        except NoCredentialsError as error:
            raise _fault(
                f"there are no keys to read {url} with", "Name a connection that has some"
            ) from error
        except ClientError as error:
            raise self._named(url, error) from error
        if found["ContentLength"] > MAX_BYTES:
            raise _too_large(url, found["ContentLength"])
        return found["Body"].read()

    def _named(self, url: str, error: Any) -> Exception:
        """Return what an answer of S3 means; the error itself if it may pass."""
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("404", "NoSuchKey", "NoSuchBucket"):
            return _fault(f"there is nothing at {url} ({code})", "Mend the URL, or put it there")
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in (400, 401, 403):
            with_what = f"connection {self.conn_id!r}" if self.conn_id else "no connection"
            return _fault(
                f"{url} may not be read with {with_what} ({code})",
                "Name a connection that may read it, and check its keys and region",
            )
        return error  # type: ignore[no-any-return]

    def _of_other(self, url: str) -> bytes:
        from airflow.sdk import ObjectStoragePath

        try:
            path = ObjectStoragePath(url, conn_id=self.conn_id)
            size = path.fs.size(path.path)
            if size and size > MAX_BYTES:
                raise _too_large(url, size)
            content: bytes = path.read_bytes()
        except (ImportError, ValueError) as error:
            scheme = url.partition("://")[0]
            raise _fault(
                f"{scheme}:// cannot be used here ({error})", "Install the provider of that storage"
            ) from error
        except (FileNotFoundError, IsADirectoryError) as error:
            raise _fault(f"there is nothing at {url}", "Mend the URL, or put it there") from error
        except PermissionError as error:
            raise _fault(f"{url} may not be read", "Name a connection that may read it") from error
        return content


def _too_large(url: str, size: int) -> DefinitionError:
    problem = f"{url} has {size / 1024**2:.0f} MiB, more than the {MAX_BYTES // 1024**2} that are read"
    return _fault(problem, "Cut it into several requests, or upload a GeoPackage and give its url")


def _fault(problem: str, remedy: str) -> DefinitionError:
    return DefinitionError([Fault("url", problem, remedy)], "URL")
