"""What every call passes before and after the API: one path scheme, faults, the journal."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox.errors import catalog_error, error_body

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from airflow_provider_sentinelhub.sandbox.faults import Fault
    from airflow_provider_sentinelhub.sandbox.services import Services

_PREFIX = "/batch/v2"
# Paths in the old scheme and the new.
_SCHEMES = {
    "/api/v2/batch": _PREFIX,
    "/api/v1/process": "/process/v1",
    "/api/v1/catalog/1.0.0": "/catalog/v1",
}
# What faults and the journal call the calls of the neighbouring APIs; batch calls lose their prefix.
_NEIGHBOURS = {"/process/v1": "/v1/process", "/catalog/v1": "/v1/catalog"}
_REQUEST_ID = re.compile(r"/process/([^/]+)")
_HTML = b"<html><head><title>503 Service Temporarily Unavailable</title></head><body></body></html>"
_NO_ANSWER = 0  # the journal's status for a connection closed without one


class Gateway:
    """The outermost application."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app, self._store, self._clock = app, services.store, services.clock
        self._steering, self._faults = services.steering, services.faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = _new_form(scope["path"])
        scope = {**scope, "path": path, "raw_path": path.encode("utf-8", "replace")}
        short = _short(path)
        if short is None:
            await self._app(scope, receive, send)
            return
        if self._steering["latency_seconds"]:
            await asyncio.sleep(self._steering["latency_seconds"])
        fault = self._faults.on_call(scope["method"], short)
        status = await self._serve(scope, receive, send, fault)
        found = _REQUEST_ID.match(short)
        self._store.add_call(
            self._clock.now(),
            scope["method"],
            short,
            status=status,
            request_id=found[1] if found else scope.get("sandbox.request_id"),
            fault=fault.id if fault else None,
        )
        if fault and fault.kind == "drop":
            await _hang_up(send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, fault: Fault | None) -> int:
        """Answer, or fail as the fault says, and return the status sent; the caller hangs up for a drop."""
        status = _NO_ANSWER

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        async def swallowed(message: Message) -> None:
            """Let the call take effect without an answer."""

        if fault is None:
            await self._app(scope, receive, watched)
        elif fault.kind == "latency":
            await asyncio.sleep(fault.rule["seconds"])
            await self._app(scope, receive, watched)
        elif fault.kind == "drop":
            if fault.rule["when"] == "after":
                await self._app(scope, receive, swallowed)
        else:
            await _drain(receive)
            await _answer(watched, *_failure(fault.rule, catalog=scope["path"].startswith("/catalog/v1")))
        return status


def _new_form(path: str) -> str:
    """Return the path in the new scheme and without a trailing slash; both forms of both are served."""
    path = path.rstrip("/") or "/"
    return _replaced(path, _SCHEMES) or path


def _replaced(path: str, prefixes: dict[str, str]) -> str | None:
    for prefix, other in prefixes.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return other + path.removeprefix(prefix)
    return None


def _short(path: str) -> str | None:
    """Return the name of an API call for faults and journal; ``None`` for the sandbox's own endpoints."""
    if path.startswith("/sandbox"):
        return None
    if path.endswith("/token"):
        return "/token"
    return _replaced(path, _NEIGHBOURS) or path.removeprefix(_PREFIX) or "/"


def _failure(rule: dict[str, Any], *, catalog: bool) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer a fault stands for; the Catalog has a form of its own."""
    headers = {"content-type": "application/json"}
    kind = rule["kind"]
    if kind == "garbage":
        return 200, headers, b'{"id": "'
    if kind == "rate_limit":
        if rule["retry_after_ms"] is not None:
            headers["retry-after"] = str(int(rule["retry_after_ms"]))  # milliseconds, as documented
        body = error_body(429, "You have exceeded your rate limit", "RATE_LIMIT_EXCEEDED")
        return 429, headers, json.dumps({"error": body} if rule["wrapped"] else body).encode()
    status = int(rule["status"])
    if kind == "client_error":
        body = error_body(status, rule["message"], rule["code"])
    elif rule["body"] == "html":
        return status, {"content-type": "text/html"}, _HTML
    elif rule["body"] == "empty":
        return status, {}, b""
    else:
        body = error_body(status, "An internal error occurred.", "COMMON_EXCEPTION")
    view = catalog_error(status, body["message"]) if catalog else {"error": body}
    return status, headers, json.dumps(view).encode()


async def _answer(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    fields = {**headers, "content-length": str(len(body))}
    raw = [(key.encode(), value.encode()) for key, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _drain(receive: Receive) -> None:
    """Read the body, so that the client gets to the answer."""
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            return


async def _hang_up(send: Send) -> None:
    """Close the connection without an answer. ASGI has no word for it; uvicorn's send has the transport."""
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    transport.abort()
    await asyncio.sleep(0.01)  # let the server notice before it misses the answer
