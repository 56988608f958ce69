"""The whole sandbox in one process: state, bucket, workers, HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from airflow_provider_sentinelhub.sandbox.app import Api
from airflow_provider_sentinelhub.sandbox.catalog import CatalogApi
from airflow_provider_sentinelhub.sandbox.clock import Clock
from airflow_provider_sentinelhub.sandbox.control import Control
from airflow_provider_sentinelhub.sandbox.delivery import ClientCache
from airflow_provider_sentinelhub.sandbox.engine import Engine
from airflow_provider_sentinelhub.sandbox.faults import Faults
from airflow_provider_sentinelhub.sandbox.gateway import Gateway
from airflow_provider_sentinelhub.sandbox.oauth import Tokens
from airflow_provider_sentinelhub.sandbox.process_api import ProcessApi
from airflow_provider_sentinelhub.sandbox.routing import build_app
from airflow_provider_sentinelhub.sandbox.s3 import Keys, S3Error, S3Server
from airflow_provider_sentinelhub.sandbox.services import Services
from airflow_provider_sentinelhub.sandbox.steering import DEFAULT_BALANCE_PU, Steering
from airflow_provider_sentinelhub.sandbox.store import Store
from airflow_provider_sentinelhub.sandbox.work import Workers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from airflow_provider_sentinelhub.sandbox.records import Account

CLIENT_ID = "sandbox-client"
_GRACE_SECONDS = 2  # for calls in flight when the sandbox ends


class StartupError(Exception):
    """The sandbox cannot start; the message is for the person who started it."""


@dataclass(frozen=True)
class Settings:
    """How to run. Ports of 0 are chosen freely."""

    data_dir: Path
    host: str
    port: int
    s3_port: int
    bucket: str
    workers: int


@dataclass(frozen=True)
class Ready:
    """What one needs to know to use a running sandbox."""

    base_url: str
    s3_endpoint: str
    account: Account
    keys: Keys


async def serve(settings: Settings, announce: Callable[[Ready], None]) -> None:
    """Run until SIGTERM or SIGINT; raises `StartupError` if the sandbox cannot start."""
    _end_on_signals()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_locked(settings.data_dir))
        listener = stack.enter_context(_listening(settings.host, settings.port))
        store = Store(settings.data_dir / "sandbox.sqlite")
        stack.callback(store.close)
        if not store.accounts():
            store.add_account(CLIENT_ID, None, DEFAULT_BALANCE_PU)
        async with _bucket_server(settings) as s3:
            ready = Ready(_url(listener), s3.endpoint, store.accounts()[0], s3.user)
            async with _engine(settings, store, s3) as (services, engine):
                await _serve_http(services, engine, listener, lambda: announce(ready))


def _end_on_signals() -> None:
    """Let the first SIGTERM or SIGINT cancel everything, so that all contexts are left in order."""
    loop, main = asyncio.get_running_loop(), asyncio.current_task()

    def end() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: None)
        if main:
            main.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)


@contextlib.asynccontextmanager
async def _engine(settings: Settings, store: Store, s3: S3Server) -> AsyncIterator[tuple[Services, Engine]]:
    workers = Workers(settings.workers)
    services = Services(
        store=store,
        clock=Clock(store),
        steering=Steering(store),
        faults=Faults(store),
        workers=workers,
        clients=ClientCache(lambda credentials: _connect(s3, credentials)),
        reader={"accessKey": s3.reader.access_key, "secretAccessKey": s3.reader.secret_key},
    )
    engine = Engine(services)
    warming = asyncio.create_task(workers.warm_up())
    try:
        engine.start()
        yield services, engine
    finally:
        warming.cancel()
        await engine.stop()
        workers.close()


async def _serve_http(
    services: Services, engine: Engine, listener: socket.socket, on_ready: Callable[[], None]
) -> None:
    tokens = Tokens(services.store, services.clock, services.steering)
    api = Api(services, tokens, engine)
    control = Control(services, tokens, engine)
    process = ProcessApi(services, tokens)
    catalog = CatalogApi(services, tokens)
    apis = (api, process, catalog, control)
    app = Gateway(build_app([endpoint for one in apis for endpoint in one.endpoints()]), services)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config, on_ready)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Uvicorn that says when it serves, and leaves signals to us."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def _bucket_server(settings: Settings) -> AsyncIterator[S3Server]:
    s3 = S3Server(settings.data_dir / "s3", port=settings.s3_port, bind=settings.host)
    try:
        try:
            await asyncio.to_thread(s3.start)
            await asyncio.to_thread(s3.create_bucket, settings.bucket)
        except (OSError, S3Error) as error:
            raise StartupError(f"The S3 server does not start: {error}") from error
        yield s3
    finally:
        await asyncio.to_thread(s3.stop)


def _connect(s3: S3Server, credentials: dict[str, str]) -> S3Client:
    """Return a client for the credentials of a request: a key pair, or a role to assume."""
    if "iamRoleARN" in credentials:
        return s3.assume_role(credentials["iamRoleARN"])
    return s3.client(Keys(credentials["accessKey"], credentials["secretAccessKey"]))


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Hold the data folder: two sandboxes on the same files would bill each other's requests."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StartupError(f"Cannot write to the data folder {data_dir}: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartupError(
                f"Another sandbox uses the data folder {data_dir}; give this one another --data-dir."
            ) from error
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port before anything else is started."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # With the protocol named, asyncio turns off Nagle's algorithm: small answers must not wait 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise StartupError(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from error
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(2048)
        except (OSError, OverflowError) as error:
            raise StartupError(f"Cannot listen on {host}:{port}: {error}.") from error
        yield listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
