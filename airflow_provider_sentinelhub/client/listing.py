"""A fast listing of a bucket: key ranges side by side, and of each page only what is needed.

botocore does all the talking (signatures, credentials, addressing, proxies, retries, errors). Only its
reading of a page is replaced, which takes most of a client's time: it makes a dictionary with a parsed date
of every object.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from airflow_provider_sentinelhub.client.errors import GarbledReplyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_s3 import S3Client

_AHEAD = 2  # ranges begun, per thread: a slow one must not leave the other threads idle
_PAGES = 4  # pages a range may be ahead of the reader
_OBJECTS = "SentinelHubObjects"  # where a reply holds what was read instead of its Contents
_ours = threading.local()


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object on a bucket; ``size`` is in bytes."""

    key: str
    size: int


def list_objects(
    s3: S3Client, bucket: str, prefix: str, *, boundaries: Sequence[str] = (), threads: int = 8
) -> Iterator[StoredObject]:
    """List the objects whose keys start with ``prefix``, each once, in the server's order.

    That order is by the keys' UTF-8 bytes, which is also how Python compares them. (SeaweedFS puts a folder's
    content before its siblings: ``a/b`` before ``a-b/c``.)

    ``boundaries`` are keys at which the work may be split among ``threads``; without any, one page follows
    the other. They need not exist. Best is every 1000th key that is expected, or every few thousandth if
    there may be more objects than expected: a page holds 1000, and a range takes at least one request.

    It holds few pages in memory, whatever the number of objects, and takes as many connections as the client
    has at most. Close the iterator to stop before its end; its threads then end with their current request.
    Raises botocore's ``ClientError`` when the bucket cannot be read, after the retries of the client, and
    `GarbledReplyError` for a reply that makes no sense.
    """
    splits = sorted({key for key in boundaries if key.startswith(prefix) and key != prefix})
    # One of any number of registrations is kept. It acts in threads of this module only.
    s3.meta.events.register_first("before-parse.s3.ListObjectsV2", _read_quickly, unique_id=__name__)
    last = ""
    source = _Source(s3, bucket, prefix)
    try:
        for page in _joined(source, [last, *splits], threads):
            for key, size in page:
                last = key
                yield StoredObject(key, size)
    except _OutOfOrderError:
        for page in _joined(source, [last], 1):
            for key, size in page:
                yield StoredObject(key, size)


class _OutOfOrderError(Exception):
    """Two ranges don't join: the server has another order, or the bucket changed meanwhile."""


@dataclass(frozen=True)
class _Page:
    """A page, cut at the end of its range.

    ``following`` is the key that the server lists next, after the range: None at the end of the listing.
    """

    objects: list[tuple[str, int]]
    is_last: bool = False
    joins: bool = False
    following: str | None = None

    @property
    def first(self) -> str | None:
        return self.objects[0][0] if self.objects else self.following


@dataclass(frozen=True)
class _Source:
    s3: S3Client
    bucket: str
    prefix: str

    def pages(self, after: str, end: str | None) -> Iterator[_Page]:
        """List what comes after one key, up to and including another."""
        position = {"StartAfter": after} if after else {}
        while True:
            reply = cast(
                "dict[str, Any]",
                self.s3.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, **position),  # type: ignore[arg-type]
            )
            objects: list[tuple[str, int]] | None = reply.get(_OBJECTS)
            if objects is None:
                raise GarbledReplyError(f"Bucket {self.bucket!r} answers with something that is no listing.")
            if end is not None:
                cut = next((i for i, (key, _) in enumerate(objects) if key >= end), None)
                if cut is not None:
                    reached = objects[cut][0]
                    joins = reached == end
                    yield _Page(objects[: cut + joins], is_last=True, joins=joins, following=reached)
                    return
            if not reply["IsTruncated"]:
                yield _Page(objects, is_last=True)
                return
            token = reply["NextContinuationToken"]
            if not token or token == position.get("ContinuationToken"):
                raise GarbledReplyError(f"The listing of bucket {self.bucket!r} does not say how it goes on.")
            position = {"ContinuationToken": token}
            if objects:
                yield _Page(objects)


@dataclass(frozen=True)
class _Range:
    """A range of keys, listed in one thread and read in another."""

    after: str
    end: str | None
    stop: threading.Event
    pages: Queue[_Page | Exception] = field(default_factory=lambda: Queue(_PAGES))

    def fetch(self, source: _Source) -> None:
        try:
            for page in source.pages(self.after, self.end):
                self.pages.put(page)
                if self.stop.is_set():
                    return
        except Exception as error:  # noqa: BLE001 -- raised again by the reader
            self.pages.put(error)

    def read(self) -> Iterator[_Page]:
        while True:
            page = self.pages.get()
            if isinstance(page, Exception):
                raise page
            yield page
            if page.is_last:
                return

    def drain(self) -> None:
        """Make room, so that a thread that waits to put a page sees that it is to stop."""
        try:
            while True:
                self.pages.get_nowait()
        except Empty:
            return


def _joined(source: _Source, starts: list[str], threads: int) -> Iterator[list[tuple[str, int]]]:
    """List the ranges between the keys, some at a time, and join them.

    That each range begins with the very object at which the one before it ended proves that the whole is what
    one listing would have given, whatever the server's order.
    """
    config: Any = source.s3.meta.config  # its stub lacks what it was made with
    connections = max(1, min(threads, len(starts), config.max_pool_connections))
    stop = threading.Event()
    ends = [*starts[1:], None]
    waiting = (_Range(after, end, stop) for after, end in zip(starts, ends, strict=True))
    begun: deque[_Range] = deque()
    executor = ThreadPoolExecutor(connections, "list-objects", initializer=_become_ours)
    try:
        joins, following = True, None
        while True:
            while len(begun) < _AHEAD * connections and (upcoming := next(waiting, None)):
                executor.submit(upcoming.fetch, source)
                begun.append(upcoming)
            if not begun:
                return
            for number, page in enumerate(begun[0].read()):
                if number == 0 and not joins and page.first != following:
                    raise _OutOfOrderError
                joins, following = page.joins, page.following
                yield page.objects
            begun.popleft()
    finally:
        stop.set()
        executor.shutdown(wait=False, cancel_futures=True)
        for each in begun:
            each.drain()


def _become_ours() -> None:
    _ours.reads = True


def _read_quickly(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Read a page in botocore's place; what is no page is left to it, to be tried again or raised."""
    if not getattr(_ours, "reads", False) or response_dict["status_code"] != 200:
        return
    try:
        root = ElementTree.fromstring(response_dict["body"])  # noqa: S314 -- botocore reads it likewise
    except ElementTree.ParseError:
        return  # cut short: botocore takes it for a passing error of the server
    namespace, _brace, name = root.tag.rpartition("}")
    if name != "ListBucketResult":
        return
    space = namespace + _brace
    keys = [element.text or "" for element in root.iter(f"{space}Key")]
    if root.findtext(f"{space}EncodingType") == "url":
        keys = [unquote_plus(key) for key in keys]
    try:
        sizes = [int(element.text or "") for element in root.iter(f"{space}Size")]
        customized_response_dict[_OBJECTS] = list(zip(keys, sizes, strict=True))
    except ValueError:
        return
    customized_response_dict["IsTruncated"] = root.findtext(f"{space}IsTruncated") == "true"
    customized_response_dict["NextContinuationToken"] = root.findtext(f"{space}NextContinuationToken")
    response_dict["body"] = b"<ListBucketResult/>"
