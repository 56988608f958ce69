"""Listing a bucket: against the sandbox's bucket, and against a server that fails on purpose."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit
from xml.sax.saxutils import escape

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from mypy_boto3_s3 import S3Client
from sandbox_driver import Sandbox

from airflow_provider_sentinelhub.client.errors import GarbledReplyError
from airflow_provider_sentinelhub.client.listing import StoredObject, list_objects

ODD = ["a b", "a+b", "a&b", "a<b>", "a%20b", "a'\"b", "ä", "日本", "𝄞", "\uffee", "x=1", "~", "-"]


def listing_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("list-objects")]


def ended(check: Callable[[], Any]) -> bool:
    deadline = time.monotonic() + 20
    while check() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not check()


# -- against the sandbox's bucket


@pytest.fixture(scope="module")
def stored(running_sandbox: Sandbox) -> list[StoredObject]:
    """A delivery with odd names, in key order."""
    s3 = running_sandbox.s3_client()
    keys = {f"listing/{name}/{output}.tif" for name in ODD for output in ("one", "two")}
    for size, key in enumerate(sorted(keys)):
        s3.put_object(Bucket=running_sandbox.bucket, Key=key, Body=b"x" * size)
    return [StoredObject(key, size) for size, key in enumerate(sorted(keys))]


@pytest.mark.parametrize("every", [0, 1, 2, 5])
def test_it_lists_what_was_stored(running_sandbox: Sandbox, stored: list[StoredObject], every: int) -> None:
    boundaries = [item.key for item in stored][every::every] if every else []
    found = list_objects(
        running_sandbox.s3_client(), running_sandbox.bucket, "listing/", boundaries=boundaries, threads=3
    )
    assert list(found) == stored


def test_boundaries_need_not_exist(running_sandbox: Sandbox, stored: list[StoredObject]) -> None:
    boundaries = ["elsewhere/", "listing/", "listing/a", "listing/a+b/one.tif~", "listing/nowhere/x", "z"]
    s3 = running_sandbox.s3_client()
    assert [*list_objects(s3, running_sandbox.bucket, "listing/", boundaries=boundaries)] == stored


def test_a_server_with_another_order_is_listed_in_full(running_sandbox: Sandbox) -> None:
    s3, keys = running_sandbox.s3_client(), ["order/a-b/x", "order/a.b/x", "order/a/x", "order/a/y"]
    for key in keys:
        s3.put_object(Bucket=running_sandbox.bucket, Key=key)
    as_served = [item.key for item in list_objects(s3, running_sandbox.bucket, "order/")]
    assert sorted(as_served) == keys
    assert as_served != keys, "this server has S3's order now: the test no longer tests"
    for first in keys:
        for second in keys:
            found = list_objects(s3, running_sandbox.bucket, "order/", boundaries=[first, second])
            assert [item.key for item in found] == as_served, (first, second)


def test_nothing_there(running_sandbox: Sandbox) -> None:
    s3 = running_sandbox.s3_client()
    assert not [*list_objects(s3, running_sandbox.bucket, "nothing/")]
    assert not [*list_objects(s3, running_sandbox.bucket, "nothing/", boundaries=["nothing/a", "nothing/b"])]


def test_the_bucket_owners_errors_are_raised(running_sandbox: Sandbox) -> None:
    with pytest.raises(ClientError, match="NoSuchBucket"):
        list(list_objects(running_sandbox.s3_client(), "no-such-bucket", "a/", boundaries=["a/b"]))
    s3 = client(running_sandbox.s3_client().meta.endpoint_url)
    with pytest.raises(ClientError) as caught:
        list(list_objects(s3, running_sandbox.bucket, "a/"))
    assert caught.value.response["Error"]["Code"] == "InvalidAccessKeyId"


def test_the_client_lists_as_before(running_sandbox: Sandbox, stored: list[StoredObject]) -> None:
    s3 = running_sandbox.s3_client()
    list(list_objects(s3, running_sandbox.bucket, "listing/"))
    contents = s3.list_objects_v2(Bucket=running_sandbox.bucket, Prefix="listing/")["Contents"]
    assert [StoredObject(item["Key"], item["Size"]) for item in contents] == stored
    assert contents[0]["LastModified"].tzinfo


# -- against a server that fails on purpose


def client(endpoint: str, **config: Any) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="someone",
        aws_secret_access_key="secret",
        aws_session_token="passing",
        region_name="eu-central-1",
        config=Config(s3={"addressing_style": "path"}, **config),
    )


@dataclass
class Bucket:
    """A bucket with S3's order, whose next answers may be spoilt."""

    keys: list[str]
    page: int = 1000
    faults: list[str] = field(default_factory=list)
    calls: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    endpoint: str = ""

    def answer(self, query: dict[str, str]) -> bytes:
        after = query.get("continuation-token", "").removeprefix("after ") or query.get("start-after", "")
        found = [key for key in self.keys if key > after and key.startswith(query["prefix"])]
        listed, more = found[: self.page], len(found) > self.page
        assert query["encoding-type"] == "url"
        contents = "".join(
            f"<Contents><Key>{escape(quote_plus(key, safe='/'))}</Key><Size>{len(key)}</Size>"
            "<Owner><ID>1</ID></Owner></Contents>"
            for key in listed
        )
        after = escape(f"after {listed[-1]}") if more else ""
        token = f"<NextContinuationToken>{after}</NextContinuationToken>" if more else ""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>'
            f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}"
            "</ListBucketResult>"
        ).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket: Bucket

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.bucket.calls.append(query)
        self.bucket.headers.append(dict(self.headers))
        fault = self.bucket.faults.pop(0) if self.bucket.faults else ""
        body, status = self.bucket.answer(query), 200
        if fault == "drop":
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        if fault == "slow down":
            body, status = b"<Error><Code>SlowDown</Code><Message>wait</Message></Error>", 503
        elif fault == "error with 200":
            body = b"<Error><Code>InternalError</Code><Message>sorry</Message></Error>"
        elif fault == "truncated":
            body = body[: len(body) // 2]
        elif fault == "no token":
            body = body.replace(b"NextContinuationToken", b"Token")
        elif fault == "no size":
            body = body.replace(b"Size", b"Bytes")
        elif fault == "denied":
            body, status = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>", 403
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + 100 * (fault == "half")))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "half" else body)
        self.close_connection = fault == "half"

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    served = Bucket(sorted(f"run/{number:05d} +&ü/out.tif" for number in range(5000)))
    with Server(("127.0.0.1", 0), type("OfThisBucket", (Handler,), {"bucket": served})) as server:
        served.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        assert ended(listing_threads)
        server.shutdown()
        thread.join()


def listed(bucket: Bucket, s3: S3Client | None = None, **arguments: Any) -> list[str]:
    return [item.key for item in list_objects(s3 or client(bucket.endpoint), "b", "run/", **arguments)]


def test_ranges_that_are_pages_cost_no_more_requests(bucket: Bucket) -> None:
    assert listed(bucket, boundaries=bucket.keys[999::1000]) == bucket.keys
    # The last key is a boundary, too: one more request shows that nothing comes after it.
    assert len(bucket.calls) == 6
    assert {headers["X-Amz-Security-Token"] for headers in bucket.headers} == {"passing"}


@pytest.mark.parametrize("every", [7, 300, 1001, 4999])
@pytest.mark.parametrize("page", [100, 1000])
def test_any_ranges_and_pages_give_each_object_once(bucket: Bucket, every: int, page: int) -> None:
    del bucket.keys[1500:]
    bucket.page = page
    assert listed(bucket, boundaries=bucket.keys[every::every]) == bucket.keys
    del bucket.keys[::every]  # the boundaries are gone
    assert listed(bucket, boundaries=[f"run/{number:05d}" for number in range(0, 1500, every)]) == bucket.keys


@pytest.mark.parametrize("mode", ["legacy", "standard"])
@pytest.mark.parametrize("fault", ["slow down", "error with 200", "truncated", "drop", "half"])
def test_a_passing_fault_is_tried_again(bucket: Bucket, fault: str, mode: str) -> None:
    bucket.faults = ["", fault]
    s3 = client(bucket.endpoint, retries={"mode": mode, "total_max_attempts": 3})
    assert listed(bucket, s3) == bucket.keys
    assert not bucket.faults
    assert len(bucket.calls) == 6


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("slow down", ClientError),
        ("truncated", ClientError),
        ("drop", ConnectionClosedError),
        ("denied", ClientError),
        ("no token", GarbledReplyError),
        ("no size", GarbledReplyError),
    ],
)
def test_a_lasting_fault_is_raised(bucket: Bucket, fault: str, error: type[Exception]) -> None:
    bucket.faults = ["", *[fault] * 5]
    s3 = client(bucket.endpoint, retries={"total_max_attempts": 2, "mode": "standard"})
    found: list[str] = []
    with pytest.raises(error):
        found.extend(item.key for item in list_objects(s3, "b", "run/"))
    assert found == bucket.keys[:1000]


def test_a_bucket_that_changes_is_still_listed(bucket: Bucket) -> None:
    found = list_objects(client(bucket.endpoint), "b", "run/", boundaries=["run/03", "run/04"], threads=1)
    keys = [next(found).key]
    assert ended(lambda: len(bucket.calls) < 3)  # the first range has been listed up to its end
    bucket.keys.insert(bucket.keys.index("run/03000 +&ü/out.tif"), "run/02999~")
    keys += [item.key for item in found]
    assert set(keys) >= set(bucket.keys) - {"run/02999~"}
    assert keys == sorted(set(keys))


def test_threads_end_when_nobody_reads_on(bucket: Bucket) -> None:
    bucket.page = 10
    found = list_objects(client(bucket.endpoint), "b", "run/", boundaries=bucket.keys[200::200], threads=4)
    next(found)
    assert listing_threads()
    found.close()  # type: ignore[attr-defined]
    assert ended(listing_threads)
    assert len(bucket.calls) < 100


def test_little_is_held_in_memory(bucket: Bucket) -> None:
    bucket.page = 100
    found = list_objects(client(bucket.endpoint), "b", "run/", boundaries=bucket.keys[1000::1000], threads=2)
    next(found)
    time.sleep(0.5)
    # Two threads, two ranges each, five pages of each range: four wait, one is in hand; of 50 in all.
    assert len(bucket.calls) <= 20
    found.close()  # type: ignore[attr-defined]
