"""The command ``sentinelhub-sandbox``.

Standard output can be evaluated by a shell: two ``export`` lines with Airflow connections and a comment that
says the sandbox is ready. Everything else goes to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import shlex
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_sentinelhub.sandbox.server import Ready, Settings

PORT, S3_PORT = 8642, 8643
BUCKET = "sandbox"
REGION = "eu-central-1"
_UNUSABLE = 2  # exit code when the sandbox could not start


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sandbox in the foreground until it is told to end."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    if not _is_loopback(options.host) and not options.allow_remote:
        return _refuse(f"--host {options.host} lets other machines in; add --allow-remote if that is wanted.")
    try:
        from airflow_provider_sentinelhub.sandbox.server import Settings, StartupError, serve
    except ImportError as error:
        return _refuse(f"{error}. Install it with: pip install 'airflow-provider-sentinelhub[sandbox]'")
    with _data_dir(options) as data_dir:
        settings = Settings(
            data_dir=data_dir,
            host=options.host,
            port=_port(options.port, PORT, ephemeral=options.ephemeral),
            s3_port=_port(options.s3_port, S3_PORT, ephemeral=options.ephemeral),
            bucket=options.bucket,
            workers=options.workers,
        )
        try:
            asyncio.run(serve(settings, lambda ready: _announce(settings, ready, options.public_host)))
        except StartupError as error:
            return _refuse(str(error))
        except (asyncio.CancelledError, KeyboardInterrupt):  # told to end, as one should
            return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sentinelhub-sandbox",
        description="A local Sentinel Hub Batch Processing API with a real S3 bucket.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, help=f"port of the API, 0 for a free one (default: {PORT})")
    parser.add_argument(
        "--s3-port", type=int, help=f"port of the bucket, 0 for a free one (default: {S3_PORT})"
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share", "sentinelhub-sandbox"),
        help="where requests, credentials and objects are kept (default: %(default)s)",
    )
    parser.add_argument(
        "--ephemeral",
        action="store_true",
        help="keep nothing: temporary data folder, free ports unless given",
    )
    parser.add_argument("--bucket", default=BUCKET, help="bucket to make (default: %(default)s)")
    parser.add_argument(
        "--workers",
        type=_positive,
        default=min(2, os.cpu_count() or 1),
        help="processes that render tiles (default: %(default)s)",
    )
    parser.add_argument(
        "--public-host", help="name by which others reach this machine, for the connections that are printed"
    )
    parser.add_argument("--allow-remote", action="store_true", help="let other machines in, for steering too")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value


def _port(given: int | None, default: int, *, ephemeral: bool) -> int:
    if given is not None:
        return given
    return 0 if ephemeral else default


@contextlib.contextmanager
def _data_dir(options: argparse.Namespace) -> Iterator[Path]:
    if not options.ephemeral:
        yield options.data_dir.expanduser().absolute()
        return
    with tempfile.TemporaryDirectory(prefix="sentinelhub-sandbox-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _announce(settings: Settings, ready: Ready, public_host: str | None) -> None:
    """Print the connections and, last, that the sandbox is ready.

    The connections are also left in ``connections.sh``, for whoever shares the data directory.
    """
    if public_host:
        ready = replace(
            ready,
            base_url=_with_host(ready.base_url, public_host),
            s3_endpoint=_with_host(ready.s3_endpoint, public_host),
        )
    lines = [
        f"export {name}={shlex.quote(json.dumps(connection))}"
        for name, connection in connections(ready).items()
    ]
    file = settings.data_dir / "connections.sh"
    file.touch(mode=0o600)
    file.write_text("\n".join(lines) + "\n")
    print(*lines, sep="\n")
    print(
        f"# Sentinel Hub sandbox ready: API {ready.base_url} · S3 {ready.s3_endpoint}"
        f" · bucket s3://{settings.bucket} · data {settings.data_dir}",
        flush=True,
    )


def connections(ready: Ready) -> dict[str, dict[str, object]]:
    """Return the two Airflow connections by the environment variable that sets each."""
    return {
        "AIRFLOW_CONN_SENTINELHUB_DEFAULT": {
            "conn_type": "sentinelhub",
            "login": ready.account.client_id,
            "password": ready.account.client_secret,
            "extra": {
                "deployment": "custom",
                "base_url": ready.base_url,
                "token_url": f"{ready.base_url}/auth/realms/main/protocol/openid-connect/token",
            },
        },
        "AIRFLOW_CONN_AWS_DEFAULT": {
            "conn_type": "aws",
            "login": ready.keys.access_key,
            "password": ready.keys.secret_key,
            "extra": {
                "endpoint_url": ready.s3_endpoint,
                "region_name": REGION,
                "config_kwargs": {"s3": {"addressing_style": "path"}},
            },
        },
    }


def _with_host(url: str, host: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{host}:{rest.rpartition(':')[2]}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse(message: str) -> int:
    print(f"sentinelhub-sandbox: {message}", file=sys.stderr)
    return _UNUSABLE
