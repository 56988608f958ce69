"""The sandbox for tests: the command in a process of its own, driven over HTTP like any user would."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import requests
from botocore.config import Config
from processes import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from mypy_boto3_s3 import S3Client

START_SECONDS = 60.0  # a loaded machine is slow; two seconds are typical


class Sandbox:
    """A running sandbox.

    A context manager that ends it with all its children. ``connections`` are the two environment variables
    for Airflow; steering, faults, clock and journal are methods.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int = 0,
        s3_port: int = 0,
        bucket: str = "sandbox",
        workers: int = 2,
    ) -> None:
        self._temporary = None if data_dir else tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.data_dir = data_dir or Path(self._temporary.name if self._temporary else "")
        self.bucket = bucket
        self._port, self._s3_port, self._workers = port, s3_port, workers
        self._process: subprocess.Popen[str] | None = None
        self.connections: dict[str, str] = {}
        self.ready_line = ""

    # -- the process

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._temporary:
            self._temporary.cleanup()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        command = [
            *(sys.executable, "-m", "airflow_provider_sentinelhub.sandbox"),
            *("--data-dir", str(self.data_dir), "--bucket", self.bucket),
            *("--port", str(self._port), "--s3-port", str(self._s3_port), "--workers", str(self._workers)),
        ]
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("a") as log:
            # A session of its own: a Ctrl-C meant for the tests does not reach it.
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self._process = process
        watchdog = threading.Timer(START_SECONDS, process.kill)
        watchdog.start()
        try:
            self._read_announcement(process)
        finally:
            watchdog.cancel()
        # A restart takes the same ports, so that connections stay valid.
        self._port = int(self.base_url.rpartition(":")[2])
        self._s3_port = int(self._aws["extra"]["endpoint_url"].rpartition(":")[2])

    def _read_announcement(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("#"):
                self.ready_line = line.strip()
                return
            words = shlex.split(line)
            assert words[0] == "export", line
            name, _, value = words[1].partition("=")
            self.connections[name] = value
        raise RuntimeError(f"The sandbox did not start (exit code {process.wait()}):\n{self.log}")

    def stop(self) -> int:
        """End it with SIGTERM and return its exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it with SIGKILL, as if the machine had lost it."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start it again on the same data and ports, ending it first if it runs."""
        self.stop()
        self.start()

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        with process:
            return process.wait(timeout=30)

    @property
    def is_running(self) -> bool:
        """Whether it was started and not ended."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """Where its standard error goes."""
        return self.data_dir / "stderr.log"

    @property
    def log(self) -> str:
        """Everything it has written to standard error."""
        return self.log_path.read_text() if self.log_path.exists() else ""

    # -- how to reach it

    @property
    def base_url(self) -> str:
        """The address of the API."""
        return str(self._sentinelhub["extra"]["base_url"])

    @property
    def token_url(self) -> str:
        """The address of the token endpoint."""
        return str(self._sentinelhub["extra"]["token_url"])

    @property
    def client_id(self) -> str:
        """The client id of the default account."""
        return str(self._sentinelhub["login"])

    @property
    def client_secret(self) -> str:
        """The client secret of the default account."""
        return str(self._sentinelhub["password"])

    @property
    def access_key(self) -> str:
        """The access key for the bucket."""
        return str(self._aws["login"])

    @property
    def secret_key(self) -> str:
        """The secret key for the bucket."""
        return str(self._aws["password"])

    @property
    def _sentinelhub(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.connections["AIRFLOW_CONN_SENTINELHUB_DEFAULT"])
        return parsed

    @property
    def _aws(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.connections["AIRFLOW_CONN_AWS_DEFAULT"])
        return parsed

    def s3_client(self) -> S3Client:
        """Return a client for the bucket with the keys of the Airflow connection."""
        return boto3.client(
            "s3",
            endpoint_url=self._aws["extra"]["endpoint_url"],
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self._aws["extra"]["region_name"],
            config=Config(s3={"addressing_style": "path"}, signature_version="s3v4"),
        )

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys in the bucket below a prefix."""
        pages = self.s3_client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def has(self, key: str) -> bool:
        """Tell whether there is such an object in the bucket."""
        return key in self.keys(key)

    def read(self, key: str) -> bytes:
        """Return an object of the bucket."""
        return self.s3_client().get_object(Bucket=self.bucket, Key=key)["Body"].read()

    # -- the API

    def token(self) -> str:
        """Get an access token for the default account."""
        answer = requests.post(
            self.token_url,
            data={
                "grant_type": "client_credentials",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
            },
            timeout=30,
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def call(
        self, method: str, path: str, *, token: str | None = None, timeout: float = 30, **arguments: Any
    ) -> requests.Response:
        """Call the API, with a token of its own unless one is given."""
        headers = {"Authorization": f"Bearer {token or self.token()}", **arguments.pop("headers", {})}
        return requests.request(
            method, f"{self.base_url}{path}", headers=headers, timeout=timeout, **arguments
        )

    def wait(
        self, check: Callable[[], Any], *, timeout: float = 30, every: float = 0.05, what: str = "it"
    ) -> Any:
        """Call ``check`` until it gives something true, and return that."""
        deadline = time.monotonic() + timeout
        while not (result := check()):
            if time.monotonic() > deadline:
                raise AssertionError(f"Waited {timeout:g} s for {what} in vain.\n{self.log}")
            time.sleep(every)
        return result

    # -- steering

    def steer(self, **settings: Any) -> dict[str, Any]:
        """Change settings, e.g. ``steer(processing={"seconds": 5})``; returns all of them."""
        return self._control("PATCH", "/steering", settings)

    def reset(self) -> None:
        """Go back to the default settings and remove all faults."""
        self._control("DELETE", "/steering")
        self._control("DELETE", "/faults")

    def fault(self, kind: str, **rule: Any) -> int:
        """Add a fault and return its id."""
        return int(self._control("POST", "/faults", {"kind": kind, **rule})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Return all faults with their counts."""
        rules: list[dict[str, Any]] = self._control("GET", "/faults")["data"]
        return rules

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._control("DELETE", "/faults")

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock forward."""
        self._control("POST", "/clock", {"advance_seconds": seconds})

    def expire_tokens(self) -> None:
        """Make all tokens issued so far invalid."""
        self._control("POST", "/tokens/expire")

    def expire_request(self, request_id: str) -> None:
        """Make the sandbox forget a request."""
        self._control("POST", f"/requests/{request_id}/expire")

    def forget_unfinished(self) -> None:
        """Make the sandbox forget what was left unfinished since the journal was cleared.

        It would meet the faults that are meant for others.
        """
        for request_id, request in self.journal()["requests"].items():
            if request["creates"] and request["status"] not in ("DONE", "FAILED"):
                with contextlib.suppress(AssertionError):  # forgotten already
                    self.expire_request(request_id)

    def add_account(self, client_id: str, client_secret: str, **fields: Any) -> None:
        """Add an account."""
        self._control("POST", "/accounts", {"client_id": client_id, "client_secret": client_secret, **fields})

    def journal(self) -> dict[str, Any]:
        """Return the calls served, and per request what was accepted and billed."""
        return self._control("GET", "/journal")

    def clear_journal(self) -> None:
        """Forget the calls."""
        self._control("DELETE", "/journal")

    def _control(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = requests.request(method, f"{self.base_url}/sandbox{path}", json=body, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        result: dict[str, Any] = answer.json() if answer.content else {}
        return result
