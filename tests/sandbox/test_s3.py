"""The sandbox's S3 server: the real one, started, refused, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from airflow_provider_sentinelhub.sandbox import weed
from airflow_provider_sentinelhub.sandbox.s3 import REGION, ROLE_ARN, Keys, S3Error, S3Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUCKET = "tiles"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        server.create_bucket(BUCKET)
        yield server


def refusal(call: Callable[..., object], **arguments: object) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def status(url: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return True
        time.sleep(0.02)
    return False


def sockets(ports: dict[str, int]) -> list[Path]:
    return [path for port in ports.values() for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")]


def listening_addresses(pid: int) -> set[str]:
    """Addresses the process listens on, as the kernel tells them."""
    links = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()
    ]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes}


def test_user_reads_and_writes(server: S3Server) -> None:
    client = server.client(server.user)
    client.put_object(Bucket=BUCKET, Key="run/33TWM_0_0/NDVI.tif", Body=b"pixels")
    assert client.get_object(Bucket=BUCKET, Key="run/33TWM_0_0/NDVI.tif")["Body"].read() == b"pixels"
    listed = client.list_objects_v2(Bucket=BUCKET, Prefix="run/", Delimiter="/")
    assert [prefix["Prefix"] for prefix in listed["CommonPrefixes"]] == ["run/33TWM_0_0/"]
    client.delete_object(Bucket=BUCKET, Key="run/33TWM_0_0/NDVI.tif")
    assert "Contents" not in client.list_objects_v2(Bucket=BUCKET, Prefix="run/")


def test_large_objects(server: S3Server, tmp_path: Path) -> None:
    source, copy = tmp_path / "large", tmp_path / "copy"
    source.write_bytes(os.urandom(20_000_000))
    client = server.client(server.user)
    client.upload_file(str(source), BUCKET, "large")
    client.download_file(BUCKET, "large", str(copy))
    assert copy.read_bytes() == source.read_bytes()
    part = client.get_object(Bucket=BUCKET, Key="large", Range="bytes=9000000-9000099")["Body"].read()
    assert part == source.read_bytes()[9_000_000:9_000_100]


def test_wrong_secret_is_refused(server: S3Server) -> None:
    client = server.client(Keys(server.user.access_key, "not the secret"))
    assert refusal(client.list_buckets) == "SignatureDoesNotMatch"


def test_unknown_key_is_refused(server: S3Server) -> None:
    assert refusal(server.client(Keys("NOBODY", "secret")).list_buckets) == "InvalidAccessKeyId"


def test_unsigned_is_refused(server: S3Server) -> None:
    config = Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}, proxies={})
    client = boto3.session.Session(region_name=REGION).client(
        "s3", endpoint_url=server.endpoint, config=config
    )
    assert refusal(client.list_objects_v2, Bucket=BUCKET) == "AccessDenied"
    assert refusal(client.put_object, Bucket=BUCKET, Key="x", Body=b"") == "AccessDenied"


def test_a_bucket_that_is_missing_stays_missing(server: S3Server) -> None:
    for client in (server.client(), server.client(server.user), server.assume_role(ROLE_ARN)):
        assert refusal(client.put_object, Bucket="typo", Key="x", Body=b"") == "NoSuchBucket"
        assert refusal(client.list_objects_v2, Bucket="typo") == "NoSuchBucket"


def test_reader_cannot_write(server: S3Server) -> None:
    server.client().put_object(Bucket=BUCKET, Key="kept", Body=b"1")
    reader = server.client(server.reader)
    assert reader.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"1"
    assert refusal(reader.put_object, Bucket=BUCKET, Key="new", Body=b"") == "AccessDenied"
    assert refusal(reader.create_multipart_upload, Bucket=BUCKET, Key="new") == "AccessDenied"
    assert refusal(reader.delete_object, Bucket=BUCKET, Key="kept") == "AccessDenied"


def test_only_the_sandbox_makes_buckets(server: S3Server) -> None:
    server.create_bucket("another")
    server.create_bucket("another")
    for client in (server.client(server.user), server.client(server.reader), server.assume_role(ROLE_ARN)):
        assert refusal(client.create_bucket, Bucket="mine") == "AccessDenied"


def test_a_full_bucket_is_not_deleted(server: S3Server) -> None:
    server.client().put_object(Bucket=BUCKET, Key="kept", Body=b"1")
    assert refusal(server.client().delete_bucket, Bucket=BUCKET) == "BucketNotEmpty"


def test_temporary_keys_of_the_role(server: S3Server) -> None:
    client = server.assume_role(ROLE_ARN)
    client.put_object(Bucket=BUCKET, Key="role", Body=b"2")
    assert server.client(server.user).get_object(Bucket=BUCKET, Key="role")["Body"].read() == b"2"
    assert client.list_objects_v2(Bucket=BUCKET, Prefix="role")["KeyCount"] == 1
    with pytest.raises(ClientError, match="AccessDenied"):
        server.assume_role("arn:aws:iam::000000000000:role/another")


def test_users_cannot_assume_the_role(server: S3Server) -> None:
    sts = boto3.session.Session(server.user.access_key, server.user.secret_key, region_name=REGION).client(
        "sts", endpoint_url=server.endpoint, config=Config(proxies={})
    )
    assert refusal(sts.assume_role, RoleArn=ROLE_ARN, RoleSessionName="somebody") == "AccessDenied"


def test_presigned_url(server: S3Server) -> None:
    client = server.client(server.user)
    client.put_object(Bucket=BUCKET, Key="signed", Body=b"3")
    url = client.generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": "signed"}, ExpiresIn=60
    )
    assert "X-Amz-Signature" in url
    assert status(url) == 200
    assert status(url.replace("/signed", "/kept")) == 403
    assert status(url[:-1] + ("0" if url[-1] != "0" else "1")) == 403


def test_it_listens_on_loopback_only_and_reports_nothing(server: S3Server) -> None:
    assert server.pid is not None
    assert listening_addresses(server.pid) == {"0100007F"}
    assert b"-master.telemetry=false" in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def test_there_is_no_way_past_the_signatures(server: S3Server) -> None:
    """SeaweedFS keeps the objects in a file server of its own, with a port of its own."""
    server.client().put_object(Bucket=BUCKET, Key="kept", Body=b"1")
    ports = server._ports
    assert status(f"http://127.0.0.1:{ports['filer.port']}/buckets/{BUCKET}/kept") == 401
    assert status(server.endpoint + f"/{BUCKET}/kept") == 403


def test_keys_are_for_the_owner_only(server: S3Server) -> None:
    for name in ("state.json", "identities.json", "iam.json", "security.toml"):
        assert (server.data_dir / name).stat().st_mode & 0o077 == 0


def test_it_survives_sigkill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "STRAY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "stray")
    server = S3Server(tmp_path / "s3")
    server.start()
    server.create_bucket(BUCKET)
    for number in range(50):
        server.client(server.user).put_object(Bucket=BUCKET, Key=f"{number:02}", Body=bytes([number]) * 1000)
    user, endpoint, pid = server.user, server.endpoint, server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while server.pid is not None:
        time.sleep(0.02)
    server.stop()

    with S3Server(tmp_path / "s3") as again:
        assert (again.user, again.endpoint) == (user, endpoint)
        client = again.client(user)
        assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 50
        assert client.get_object(Bucket=BUCKET, Key="49")["Body"].read() == b"1" * 1000
        client.put_object(Bucket=BUCKET, Key="new", Body=b"")
        assert refusal(again.client(Keys("STRAY", "stray")).list_buckets) == "InvalidAccessKeyId"
        ports = again._ports
    assert not sockets(ports)


CHILD = """
import sys, time
from pathlib import Path
from airflow_provider_sentinelhub.sandbox.s3 import S3Server
server = S3Server(Path(sys.argv[1]))
server.start()
server.create_bucket("tiles")
print(server.pid, flush=True)
time.sleep(600)
"""


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """Even when the parent is killed; and the next one starts where it ended."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "s3")], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid, 0.1)
        assert sockets(S3Server(tmp_path / "s3")._ports)
        parent.kill()
    assert gone(pid)
    server = S3Server(tmp_path / "s3")
    deadline = time.monotonic() + 5
    while sockets(server._ports) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not sockets(server._ports)
    with server:
        assert [bucket["Name"] for bucket in server.client().list_buckets()["Buckets"]] == [BUCKET]


def test_given_port_and_keys(tmp_path: Path, server: S3Server) -> None:
    """A second server beside the first one."""
    port = weed.free_ports("127.0.0.1", 0, {})["s3.port"]
    keys = Keys("FIXED", "fixed-secret")
    with S3Server(tmp_path / "s3", port=port, identities={"user": keys}) as second:
        assert second.endpoint == f"http://127.0.0.1:{port}"
        assert second.client(keys).list_buckets()["Buckets"] == []
    assert second.pid is None
    assert server.client().list_buckets()["Buckets"]
    with pytest.raises(ValueError, match="writer"):
        S3Server(tmp_path / "s3", identities={"writer": keys})


def test_a_port_that_is_taken(tmp_path: Path, server: S3Server) -> None:
    port = int(server.endpoint.rsplit(":", 1)[1])
    with pytest.raises(S3Error, match=f"Port {port} "):
        S3Server(tmp_path / "s3", port=port).start()


def test_one_sandbox_at_a_time(server: S3Server) -> None:
    with pytest.raises(S3Error, match="Another sandbox"):
        S3Server(server.data_dir).start()
    assert server.client().list_buckets()["Buckets"]


def test_a_failed_start_shows_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "weed"
    broken.write_text("#!/bin/sh\necho disk on fire >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(weed, "_program", lambda: broken)
    with pytest.raises(S3Error, match="disk on fire"):
        S3Server(tmp_path / "s3").start(timeout=10)


def test_no_endpoint_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(S3Error, match="before it is started"):
        _ = S3Server(tmp_path / "s3").endpoint
