"""GeoPackages made of an author's areas, and put where the service finds them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sentinelhub.client.delivery.folder import features_name
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.hooks.opening import ObjectOpener

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sentinelhub.client.geopackage import FeatureSource

_FIELD = "geopackage.features"


def upload_geopackage(
    features: Any,
    url: str,
    aws_conn_id: str = "aws_default",
    *,
    resolution: float,
    identifier: str = "id",
    crs: Any = None,
    grid_id: int | None = None,
    source_crs: Any = None,
    invalid: Literal["refuse", "repair"] = "refuse",
    area_conn_id: str | None = None,
) -> str:
    """Make a GeoPackage of features, upload it, and return its URL.

    ``url`` is a folder such as ``s3://my-bucket/fields``, in which the file is named after its content: the
    same features are uploaded once. Or it is that of the file, ending with ``.gpkg``, which is then replaced.
    A URL of another storage than S3 is written with Airflow's `ObjectStoragePath` and that connection.

    The others are as in `features_of`; ``area_conn_id`` opens features that are given as a URL. At most
    700,000 features, each of at most 3500 pixels a side. Raises `DefinitionError` naming all that is wrong
    with the features or with the rights on the bucket; nothing is uploaded then.
    """
    from airflow_provider_sentinelhub.client.geopackage import FeatureSource

    source = FeatureSource(features, resolution, identifier, crs, grid_id, source_crs, invalid)
    with GeoPackageBuilder(url, aws_conn_id, ObjectOpener(area_conn_id)) as builder:
        built = builder(source)
        builder.upload()
    return built


class GeoPackageBuilder:
    """Makes a GeoPackage at once, and uploads it when told to; a context manager that removes its files.

    ``folder`` and ``conn_id`` are as in `upload_geopackage`.
    """

    def __init__(self, folder: str, conn_id: str | None, opener: Callable[[str], bytes] | None) -> None:
        self.folder = folder
        self.conn_id = conn_id
        self.opener = opener
        self.path: Path | None = None
        self.url = ""
        self._scratch = tempfile.TemporaryDirectory(prefix="sentinelhub-features-")

    def __enter__(self) -> GeoPackageBuilder:
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()

    def __call__(self, source: FeatureSource) -> str:
        """Make the file, and return the URL that it will have; `DefinitionError` names what is wrong."""
        path = Path(self._scratch.name) / "features.gpkg"
        digest = source.write(path, self.opener)
        if not self.folder.startswith(("s3://", "gs://")):
            problem = "have no place to be uploaded to, beside the delivery"
            raise DefinitionError([Fault(_FIELD, problem, "Mend delivery_url")], "GeoPackage")
        if self.conn_id is None:
            problem = "cannot be uploaded without a connection"
            remedy = "Name one that may write to the bucket in geopackage.upload_conn_id"
            raise DefinitionError([Fault(_FIELD, problem, remedy)], "GeoPackage")
        self.path = path
        named = self.folder.endswith(".gpkg")
        self.url = self.folder if named else f"{self.folder.rstrip('/')}/{features_name(digest)}"
        return self.url

    def upload(self) -> None:
        """Put the file, if one was made, where its URL says; one named after its content only once.

        `DefinitionError` if the connection lacks the rights; what may pass is raised as it is.
        """
        if self.path is None:
            return
        if self.url.startswith("s3://"):
            self._to_s3(self.path)
        else:
            self._to_other(self.path)

    def _to_s3(self, path: Path) -> None:
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import ClientError

        from airflow_provider_sentinelhub.hooks.delivery import bucket_client

        bucket, _, key = self.url.removeprefix("s3://").partition("/")
        s3 = bucket_client(self.conn_id)
        if self.url != self.folder:
            try:
                s3.head_object(Bucket=bucket, Key=key)
            except ClientError:
                # Not there, or not to be seen: the upload shows.
                pass
            else:
                return
        try:
            s3.upload_file(str(path), bucket, key)
        except (S3UploadFailedError, ClientError) as error:
            cause = error if isinstance(error, ClientError) else error.__context__
            answer = cause.response if isinstance(cause, ClientError) else {}
            if answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
                raise
            raise self._refused(answer.get("Error", {}).get("Code", "")) from error

    def _to_other(self, path: Path) -> None:
        from airflow.sdk import ObjectStoragePath

        try:
            target = ObjectStoragePath(self.url, conn_id=self.conn_id)
            target.fs.put_file(str(path), target.path)
        except (ImportError, ValueError, PermissionError, FileNotFoundError) as error:
            raise self._refused(str(error)) from error

    def _refused(self, why: str) -> DefinitionError:
        problem = f"cannot be uploaded to {self.url} with connection {self.conn_id!r} ({why})"
        remedy = "Check its keys, and allow them s3:PutObject there, or name another in upload_conn_id"
        return DefinitionError([Fault(_FIELD, problem, remedy)], "GeoPackage")
