"""Paths to handlers: one entry per path, so that a wrong method is answered with all the right ones."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_sentinelhub.sandbox.errors import ApiError, bad_payload, method_not_allowed, not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]

_log = logging.getLogger(__name__)


class Endpoint:
    """A path and its handlers by method; an ASGI application, so that it gets calls of any method."""

    def __init__(self, path: str, **handlers: Handler) -> None:
        self.path = path
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call for this path."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        handler = self._handlers.get(method)
        try:
            if handler is None:
                raise method_not_allowed(list(self._handlers))
            return await handler(request)
        except ApiError as error:
            return self.refusal(error)
        except HTTPException as error:  # a broken form, say
            return self.refusal(bad_payload(error.detail))
        except RecursionError:
            return self.refusal(bad_payload("The request body is nested too deeply."))
        except Exception as error:  # noqa: BLE001 - the answer keeps the service's form
            if not isinstance(error, ClientDisconnect):
                _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
            return self.refusal(ApiError(500, "An internal error occurred.", "COMMON_EXCEPTION"))

    @staticmethod
    def refusal(error: ApiError) -> Response:
        """Return an error in the API's form."""
        return error.response()


def build_app(endpoints: Sequence[Endpoint]) -> Starlette:
    """Return the application; every error leaves it in the service's form."""
    routes = [Route(endpoint.path, endpoint) for endpoint in endpoints]
    app = Starlette(routes=routes, exception_handlers={404: _unknown_path})
    app.router.redirect_slashes = False
    return app


async def _unknown_path(_: Request, __: Exception) -> Response:
    return not_found().response()


def base_url(request: Request) -> str:
    """Return the address the caller used, for links. The Host header may be anything and is not parsed."""
    return f"{request.scope['scheme']}://{request.headers.get('host', '127.0.0.1')}"


def parsed(content: bytes) -> object:
    """Return the JSON value of a body; raises 400 if there is none, or one that cannot be sent back."""
    if not content.strip():
        raise bad_payload("Request body should be non-empty.")
    try:
        value: object = json.loads(content)
        json.dumps(value, ensure_ascii=False).encode()  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        raise bad_payload("The request body is not valid JSON.") from error
    return value
