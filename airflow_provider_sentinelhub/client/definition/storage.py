"""Places in buckets: where they are, and what lets the service in."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_sentinelhub.client.definition.rules import json_object, text
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
_BUCKETS = {"s3": r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "gs": r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]"}
_SECRET = re.compile(r"key|secret|token|credential|password", re.IGNORECASE)
_StorageT = TypeVar("_StorageT", bound="Storage")


@dataclass(frozen=True)
class BucketKeys:
    """Keys of the S3 bucket that the service writes to or reads from."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)


@dataclass(frozen=True)
class GoogleKey:
    """A service account of Google Cloud: the base64 of its JSON key."""

    credentials: str = field(repr=False)

    @classmethod
    def of(cls, account: Mapping[str, Any] | str) -> GoogleKey:
        """Take the service account's key file: its content as a dict or as text, or that in base64."""
        if isinstance(account, str) and not account.lstrip().startswith("{"):
            return cls(account.strip())
        content = account if isinstance(account, str) else json.dumps(account)
        return cls(base64.b64encode(content.encode()).decode())

    @property
    def usable(self) -> bool:
        """Whether it holds the JSON key of a service account."""
        try:
            account = json.loads(base64.b64decode(self.credentials, validate=True))
        except (binascii.Error, ValueError):
            return False
        return isinstance(account, dict) and {"client_email", "private_key"} <= account.keys()


@dataclass(frozen=True)
class Names:
    """What the author calls the parts of a place, for the faults."""

    url: str
    aws: str
    google: str
    role: str
    region: str


@dataclass(frozen=True)
class Storage:
    """A place on S3 or Google Cloud Storage and what lets the service in.

    ``s3://bucket/…`` needs keys or a role, never both, and may name the bucket's ``region``; ``gs://bucket/…``
    needs a ``google_key``.
    """

    url: str
    keys: BucketKeys | None = None
    iam_role_arn: str | None = None
    region: str | None = None
    google_key: GoogleKey | None = None

    @property
    def scheme(self) -> str:
        """``s3``, ``gs`` or whatever else the URL begins with."""
        return self.url.partition("://")[0] if isinstance(self.url, str) and "://" in self.url else ""

    def to_wire(self) -> dict[str, Any]:
        """Return the API's object; it holds the keys, so it is made at the last moment."""
        if self.scheme == "gs":
            key = {"credentials": self.google_key.credentials} if self.google_key else {}
            return {"gs": {"url": self.url, **key}}
        s3 = {"url": self.url, "region": self.region, "iamRoleARN": self.iam_role_arn}
        if self.keys:
            s3 |= {"accessKey": self.keys.access_key, "secretAccessKey": self.keys.secret_key}
        # The service rejects nulls.
        return {"s3": {key: value for key, value in s3.items() if value is not None}}

    def without_keys(self: _StorageT) -> _StorageT:
        """Return the same place without keys."""
        return replace(self, keys=None, google_key=None)

    def url_faults(self, names: Names, example: str) -> Iterator[Fault]:
        """Name what is wrong with the URL and with the parts that are no secrets."""
        remedy = f"Give a URL such as {example}"
        if not self.url:
            yield Fault(names.url, "is missing", remedy)
            return
        bucket = str(self.url).partition("://")[2].split("/")[0]
        if self.scheme not in _BUCKETS or not bucket:
            yield Fault(names.url, f"{self.url!r} is not the URL of a place in a bucket", remedy)
        elif not re.fullmatch(_BUCKETS[self.scheme], bucket):
            yield Fault(
                names.url,
                f"{bucket!r} cannot be the name of a bucket",
                "Use lower-case letters, digits, dots and hyphens",
            )
        if self.iam_role_arn is not None and not _ROLE_ARN.fullmatch(str(self.iam_role_arn)):
            yield Fault(
                names.role, f"{self.iam_role_arn!r} is not a role", "Give arn:aws:iam::<account>:role/<name>"
            )
        if self.region is not None:
            faults: list[Fault] = []
            text(self.region, names.region, faults)
            yield from faults
        if self.scheme == "gs" and self.region is not None:
            yield Fault(names.region, "is for S3, and the URL is Google Cloud's", "Leave it out")

    def access_faults(self, names: Names) -> Iterator[Fault]:
        """Name what is wrong with the credentials."""
        if self.scheme == "gs":
            if self.keys or self.iam_role_arn:
                problem = "AWS keys and roles do not open a bucket of Google Cloud"
                yield Fault(names.google, problem, f"Name a Google connection in {names.google} alone")
            elif self.google_key is None:
                problem = "the service needs a service account to use a bucket of Google Cloud"
                yield Fault(names.google, problem, f"Name a Google connection in {names.google}")
            elif not self.google_key.usable:
                yield Fault(
                    names.google, "is not a service account's key", "Give the account's JSON key file"
                )
        elif self.scheme == "s3":
            if self.google_key:
                problem = "a Google service account does not open an S3 bucket"
                yield Fault(names.google, problem, f"Use {names.aws} or {names.role} instead")
            elif (self.keys is None) == (self.iam_role_arn is None):
                both = self.keys is not None
                remedy = f"Name an AWS connection in {names.aws}, or a role in {names.role}"
                yield Fault(
                    names.aws,
                    "the service needs either keys or a role to use the bucket, and "
                    + ("both are there" if both else "neither is there"),
                    f"Keep either {names.aws} or {names.role}" if both else remedy,
                )


@dataclass(frozen=True)
class OtherDelivery:
    """A ``delivery`` object that this version knows nothing of, passed to the service as it is."""

    content: Mapping[str, Any] = field(repr=False)

    @property
    def url(self) -> str:
        """The first URL in it."""
        places = [one.get("url") for one in self.content.values() if isinstance(one, Mapping)]
        return next((str(url) for url in places if url), "")

    def to_wire(self, faults: list[Fault]) -> dict[str, Any]:
        """Return a copy of the content."""
        wire = json_object(self.content, "delivery", faults)
        return wire if isinstance(wire, dict) else {}

    def without_keys(self) -> OtherDelivery:
        """Return it without whatever is called a key, secret, token, credential or password."""
        return OtherDelivery(_without_secrets(self.content))


def secrets_in(value: Any, path: str = "") -> Iterator[str]:
    """Name the entries of a dict that are called like secrets."""
    for key, item in value.items() if isinstance(value, Mapping) else ():
        where = f"{path}.{key}" if path else str(key)
        if _SECRET.search(str(key)):
            yield where
        yield from secrets_in(item, where)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_secrets(item) for key, item in value.items() if not _SECRET.search(str(key))}
    return [_without_secrets(item) for item in value] if isinstance(value, list | tuple) else value
