"""Where a request delivers to, and what the files beside its tiles are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import UnreadableDeliveryError

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.client.models import BatchRequest

# What a URL without placeholders means (documented).
_DEFAULT_TEMPLATE = "<requestId>/<tileName>/<outputId>.<format>"


@dataclass(frozen=True)
class DeliveryFolder:
    """The folder that holds a request's manifest and execution database."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, request: BatchRequest) -> DeliveryFolder:
        """Read it from a request's definition; `UnreadableDeliveryError` for one that is not on S3.

        The rule is that of the vendor's own programs: ``/<requestId>`` is appended to a URL without
        placeholders, and everything from the first path segment that still holds one is dropped. A Zarr is
        written to the very folder.
        """
        bucket, template = template_of(request)
        segments = template.replace("<requestId>", request.id).split("/")
        fixed = next((i for i, segment in enumerate(segments) if "<" in segment), len(segments))
        return cls(bucket, "/".join(segments[:fixed]))

    @classmethod
    def parse(cls, url: str) -> DeliveryFolder:
        """Read it from an ``s3://bucket/prefix`` URL."""
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not url.startswith("s3://") or not bucket:
            raise UnreadableDeliveryError(f"{url!r} is not the s3:// URL of a delivery.")
        return cls(bucket, prefix.strip("/"))

    @property
    def url(self) -> str:
        """The folder as an ``s3://`` URL."""
        return f"s3://{self.bucket}/{self.prefix}"

    def key(self, name: str) -> str:
        """Return the key of a file in the folder."""
        return f"{self.prefix}/{name}" if self.prefix else name


def place_of(request: BatchRequest) -> str:
    """Return the URL of the folder that a request delivers to, or what URL it was given if not of S3."""
    if is_on_s3(request):
        return DeliveryFolder.of(request).url
    delivery = _object(_object(request.definition.get("output")).get("delivery"))
    return next((str(place["url"]) for place in delivery.values() if _object(place).get("url")), "")


def is_on_s3(request: BatchRequest) -> bool:
    """Whether it delivers to S3, where this provider can look."""
    return "s3" in _object(_object(request.definition.get("output")).get("delivery"))


def template_of(request: BatchRequest) -> tuple[str, str]:
    """Return bucket and key template of a request's delivery, the default written out where it is meant."""
    output = _object(request.definition.get("output"))
    url = str(_object(_object(output.get("delivery")).get("s3")).get("url") or "")
    bucket, _, path = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise UnreadableDeliveryError(
            f"Batch request {request.id} does not deliver to S3: its tiles cannot be checked from here."
        )
    path = path.strip("/")
    if "<" in path:
        return bucket, path
    if output.get("type") == "zarr":
        # The group is written to this very folder (documented).
        return bucket, path
    return bucket, f"{path}/{_DEFAULT_TEMPLATE}".lstrip("/")


def manifest_name(request_id: str) -> str:
    """Return the name of the feature manifest: what is planned, written by the analysis."""
    return f"featureManifest-{request_id}.gpkg"


def execution_name(request_id: str) -> str:
    """Return the name of the execution database: how each tile fared, written during processing."""
    return f"execution-{request_id}.sqlite"


def index_name(request_id: str) -> str:
    """Return the name of the index of delivered tiles, which this provider writes."""
    return f"tiles-{request_id}.jsonl"


def repairs_name(request_id: str) -> str:
    """Return the name of the list of a request's repairs, which this provider writes."""
    return f"repairs-{request_id}.json"


def repair_features_name(request_id: str, number: int) -> str:
    """Return the name of the GeoPackage that a repair processes, which this provider writes."""
    return f"repair-{number}-of-{request_id}.gpkg"


def root_of(url: str) -> str:
    """Return the folder of a delivery's URL that all its requests share: without what holds a placeholder."""
    scheme, mark, path = url.partition("://")
    segments = path.strip("/").split("/")
    fixed = next((i for i, segment in enumerate(segments) if "<" in segment), len(segments))
    return f"{scheme}{mark}{'/'.join(segments[:fixed])}"


def features_name(digest: str) -> str:
    """Return the name of a GeoPackage that this provider makes of an author's features."""
    return f"features-{digest}.gpkg"


def is_record(name: str) -> bool:
    """Whether a file in the folder keeps account of deliveries instead of being one."""
    return name.startswith(
        ("request-", "featureManifest-", "execution-", "tiles-", "repairs-", "repair-", "features-")
    ) and name.endswith((".json", ".gpkg", ".sqlite", ".jsonl"))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
