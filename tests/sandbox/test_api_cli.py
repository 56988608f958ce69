"""The command: what it prints, how it refuses, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
import requests
from botocore.config import Config
from sandbox_driver import Sandbox

COMMAND = [sys.executable, "-m", "airflow_provider_sentinelhub.sandbox"]


def refused(*arguments: str, **environment: str) -> str:
    """Run the command, which must not start, and return what it says."""
    ended = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    [line] = ended.stderr.strip().splitlines()
    return line


def test_a_shell_can_evaluate_what_it_prints_and_leaves_nothing_behind(tmp_path: Path) -> None:
    begun = time.monotonic()
    process = subprocess.Popen(
        [*COMMAND, "--ephemeral", "--bucket", "mine"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    printed = [process.stdout.readline() for _ in range(3)]
    assert time.monotonic() - begun < 30  # two seconds on a machine at rest
    ready = re.fullmatch(
        r"# Sentinel Hub sandbox ready: API (\S+) · S3 (\S+) · bucket s3://mine · data (\S+)",
        printed[2].strip(),
    )
    assert ready is not None, printed
    shell = (
        "".join(printed) + 'printf "%s\\n%s" "$AIRFLOW_CONN_SENTINELHUB_DEFAULT" "$AIRFLOW_CONN_AWS_DEFAULT"'
    )
    evaluated = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True).stdout
    hub, aws = map(json.loads, evaluated.splitlines())
    assert hub["conn_type"] == "sentinelhub"
    assert hub["extra"] == {
        "deployment": "custom",
        "base_url": ready[1],
        "token_url": f"{ready[1]}/auth/realms/main/protocol/openid-connect/token",
    }
    fields = {"client_id": hub["login"], "client_secret": hub["password"], "grant_type": "client_credentials"}
    assert requests.post(hub["extra"]["token_url"], data=fields, timeout=30).status_code == 200
    assert aws["conn_type"] == "aws"
    assert aws["extra"] == {
        "endpoint_url": ready[2],
        "region_name": "eu-central-1",
        "config_kwargs": {"s3": {"addressing_style": "path"}},
    }
    client = boto3.client(
        "s3",
        endpoint_url=aws["extra"]["endpoint_url"],
        aws_access_key_id=aws["login"],
        aws_secret_access_key=aws["password"],
        region_name=aws["extra"]["region_name"],
        config=Config(**aws["extra"]["config_kwargs"]),
    )
    client.put_object(Bucket="mine", Key="x", Body=b"1")
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert Path(ready[3]).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1:{port}" in refused("--data-dir", str(tmp_path), "--port", port)
        said = refused("--data-dir", str(tmp_path), "--port", "0", "--s3-port", port)
        assert port in said
        assert "S3" in said


def test_a_data_folder_in_use(sandbox: Sandbox) -> None:
    assert "Another sandbox uses" in refused("--data-dir", str(sandbox.data_dir), "--port", "0")


@pytest.mark.parametrize("place", ["/proc/sandbox", "/dev/null/sandbox"])
def test_a_data_folder_that_cannot_be_written(place: str) -> None:
    assert f"Cannot write to the data folder {place}" in refused("--data-dir", place)


def test_other_machines_are_let_in_only_when_asked(tmp_path: Path) -> None:
    assert "--allow-remote" in refused("--host", "0.0.0.0", "--data-dir", str(tmp_path))


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "starlette.py").write_text("raise ImportError('No module named starlette')")
    said = refused("--ephemeral", PYTHONPATH=str(tmp_path))
    assert "pip install 'airflow-provider-sentinelhub[sandbox]'" in said


def test_the_default_data_folder_is_the_users() -> None:
    said = refused("--port", "1", XDG_DATA_HOME="/proc")
    assert "/proc/sentinelhub-sandbox" in said


def test_the_connections_are_left_for_others_under_the_name_they_know(tmp_path: Path) -> None:
    command = [*COMMAND, "--data-dir", str(tmp_path), "--port", "0", "--s3-port", "0", "--public-host", "me"]
    printed = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("#"):
                    break
                printed.append(line)
        finally:
            process.terminate()
    file = tmp_path / "connections.sh"
    assert file.read_text() == "".join(printed)
    assert file.stat().st_mode & 0o077 == 0
    assert "http://me:" in printed[0]
    assert "http://me:" in printed[1]
