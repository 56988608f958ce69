"""A real S3 server for the sandbox: SeaweedFS (``weed mini``) as a child process.

It checks signatures and rights, keeps its objects over restarts, and listens on the loopback interface
only, unless told otherwise. Telemetry is off, and so are buckets that spring up on the first upload.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import socket
import subprocess
import threading
import time
from contextlib import closing, suppress
from dataclasses import asdict
from http.client import HTTPConnection, HTTPException
from typing import IO, TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from airflow_provider_sentinelhub.sandbox import weed
from airflow_provider_sentinelhub.sandbox.weed import ROLE_ARN, Keys, S3Error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from mypy_boto3_s3 import S3Client

__all__ = ["REGION", "ROLE_ARN", "Keys", "S3Error", "S3Server"]

REGION = "eu-central-1"


class S3Server:
    """The S3 server of one sandbox, and the keys to it.

    `data_dir` holds everything that has to last: objects, keys, ports. `port` 0 takes a free one, and the
    same one again after a restart if it is still free. `bind` is the address to listen on; 0.0.0.0 is for
    containers. `identities` replaces generated keys: ``admin`` (the sandbox), ``user`` (reads, writes and
    lists any bucket), ``reader`` (reads and lists).

    The server ends with this process, however that ends.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int = 0,
        bind: str = "127.0.0.1",
        identities: Mapping[str, Keys] | None = None,
    ) -> None:
        unknown = set(identities or ()) - set(weed.ACTIONS)
        if unknown:
            raise ValueError(f"No such identity: {', '.join(sorted(unknown))}")
        self.data_dir = data_dir.absolute()
        self._port = port
        self._bind = bind
        self._state_file = self.data_dir / "state.json"
        self._log_file = self.data_dir / "weed.log"
        state = json.loads(self._state_file.read_text()) if self._state_file.exists() else {}
        kept = {name: Keys(**keys) for name, keys in state.get("identities", {}).items()}
        self._identities: dict[str, Keys] = (
            {name: weed.new_keys(name) for name in weed.ACTIONS} | kept | dict(identities or {})
        )
        self._signing_key: str = state.get("signing_key") or secrets.token_hex(32)
        self._ports: dict[str, int] = state.get("ports", {})
        self._session = boto3.session.Session()
        self._making_clients = threading.Lock()  # clients are safe to share among threads, sessions are not
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @property
    def admin(self) -> Keys:
        """The sandbox's own keys: all rights."""
        return self._identities["admin"]

    @property
    def user(self) -> Keys:
        """What an Airflow connection holds: reads, writes and lists, but makes no buckets."""
        return self._identities["user"]

    @property
    def reader(self) -> Keys:
        """Keys that are refused every write."""
        return self._identities["reader"]

    @property
    def endpoint(self) -> str:
        """URL of the server, as seen from this machine; known once started."""
        if not self._ports:
            raise S3Error("The S3 server has no port before it is started")
        host = "127.0.0.1" if self._bind == "0.0.0.0" else self._bind  # noqa: S104
        return f"http://{host}:{self._ports['s3.port']}"

    @property
    def pid(self) -> int | None:
        """Process id while the server runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self, timeout: float = 60) -> None:
        """Start the server and wait until it answers; within `timeout` seconds, or S3Error."""
        if self.pid is not None:
            return
        self.stop()  # what is left of a server that was killed
        deadline = time.monotonic() + timeout
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            while not self._launched(deadline):
                log = "\n".join(self._log_file.read_text(errors="replace").splitlines()[-15:])
                # Another process may take a port between the choice and the start.
                if "Port allocation failed" not in log or time.monotonic() > deadline:
                    raise S3Error(
                        f"The S3 server didn't start. Its last words, from {self._log_file}:\n{log}"
                    )
                self._end_processes()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server, and nothing else."""
        self._end_processes()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> S3Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def client(self, keys: Keys | None = None) -> S3Client:
        """Make an S3 client, for the sandbox itself or with somebody's keys."""
        client: S3Client = self._service("s3", keys or self.admin)
        return client

    def assume_role(self, role_arn: str) -> S3Client:
        """Make a client with a role's temporary keys; ClientError (AccessDenied) for another role."""
        sts = self._service("sts", self.admin)
        answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="sentinelhub-sandbox")["Credentials"]
        keys = Keys(answer["AccessKeyId"], answer["SecretAccessKey"])
        client: S3Client = self._service("s3", keys, answer["SessionToken"])
        return client

    def create_bucket(self, name: str) -> None:
        """Create a bucket unless it is there."""
        client = self.client()
        try:
            client.create_bucket(Bucket=name)
        except (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            return

    def _service(
        self, name: Literal["s3", "sts"], keys: Keys, token: str | None = None, tries: int = 3
    ) -> Any:
        config = Config(
            signature_version="s3v4" if name == "s3" else None,
            s3={"addressing_style": "path"},
            proxies={},
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": tries},
        )
        with self._making_clients:
            return self._session.client(
                name,
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id=keys.access_key,
                aws_secret_access_key=keys.secret_key,
                aws_session_token=token,
                config=config,
            )

    def _take_lock(self) -> None:
        self._lock = (self.data_dir / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            self._lock = None
            raise S3Error(f"Another sandbox is running on {self.data_dir}") from None

    def _launched(self, deadline: float) -> bool:
        self._ports = weed.free_ports(self._bind, self._port, self._ports)
        weed.remove_sockets(self._ports)
        identities = {name: asdict(keys) for name, keys in self._identities.items()}
        state = {"identities": identities, "ports": self._ports, "signing_key": self._signing_key}
        weed.write_secret(self._state_file, json.dumps(state, indent=2))
        weed.configure(self.data_dir, self._identities, self._signing_key)
        self._process = weed.launch(self.data_dir, self._bind, self._ports)
        self._watcher = weed.watch(self._process.pid, self._ports)
        return self._answers(deadline)

    def _end_processes(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            weed.remove_sockets(self._ports)
        if self._watcher is not None:
            self._watcher.communicate(b"done\n")
            self._watcher = None

    def _answers(self, deadline: float) -> bool:
        client = self._service("s3", self.admin, tries=1)
        host, port = self.endpoint.removeprefix("http://").rsplit(":", 1)
        while time.monotonic() < deadline and self.pid is not None:
            # It answers before it knows its users, and knows them before it knows its volumes.
            with suppress(OSError, BotoCoreError, ClientError, HTTPException, ValueError, KeyError):
                socket.create_connection((host, int(port)), timeout=1).close()
                client.list_buckets()
                if self._has_volumes(host):
                    return True
            time.sleep(0.05)
        return False

    def _has_volumes(self, host: str) -> bool:
        """Whether the master knows a volume server, and all volumes that are on disk."""
        with closing(HTTPConnection(host, self._ports["master.port"], timeout=5)) as master:
            master.request("GET", "/dir/status")
            topology = json.load(master.getresponse())["Topology"]
        racks = [rack for center in topology["DataCenters"] or () for rack in center["Racks"] or ()]
        known = [node["Volumes"] for rack in racks for node in rack["DataNodes"] or ()]
        return bool(known) and sum(known) >= len(list((self.data_dir / "objects").glob("*.dat")))
