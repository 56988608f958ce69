"""The sandbox's own endpoints, below ``/sandbox``: settings, faults, clock, journal.

They need no token: whoever reaches the sandbox may steer it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from airflow_provider_sentinelhub.sandbox.clock import timestamp
from airflow_provider_sentinelhub.sandbox.errors import ApiError, bad_payload, not_found
from airflow_provider_sentinelhub.sandbox.routing import Endpoint, parsed
from airflow_provider_sentinelhub.sandbox.steering import DEFAULT_BALANCE_PU, is_number

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.sandbox.engine import Engine
    from airflow_provider_sentinelhub.sandbox.oauth import Tokens
    from airflow_provider_sentinelhub.sandbox.records import Account
    from airflow_provider_sentinelhub.sandbox.services import Services

Handler = Callable[[Request], Awaitable[Response]]


class Control:
    """Steering over HTTP."""

    def __init__(self, services: Services, tokens: Tokens, engine: Engine) -> None:
        self._store, self._clock = services.store, services.clock
        self._steering, self._faults = services.steering, services.faults
        self._tokens, self._engine = tokens, engine

    def endpoints(self) -> list[Endpoint]:
        """Return the routes."""
        return [
            Endpoint("/sandbox/health", GET=self.health),
            Endpoint(
                "/sandbox/steering",
                GET=self.get_steering,
                PATCH=self.patch_steering,
                DELETE=self.reset_steering,
            ),
            Endpoint(
                "/sandbox/faults",
                GET=self.list_faults,
                POST=self.add_fault,
                DELETE=self.clear_faults,
            ),
            Endpoint("/sandbox/faults/{id}", DELETE=self.delete_fault),
            Endpoint("/sandbox/tokens/expire", POST=self.expire_tokens),
            Endpoint("/sandbox/clock", GET=self.get_clock, POST=self.advance_clock),
            Endpoint("/sandbox/accounts", GET=self.list_accounts, POST=self.add_account),
            Endpoint("/sandbox/requests/{id}/expire", POST=self.expire_request),
            Endpoint("/sandbox/journal", GET=self.get_journal, DELETE=self.clear_journal),
        ]

    async def health(self, _: Request) -> Response:
        """Tell that the sandbox serves."""
        return JSONResponse({"status": "ready", "version": version("airflow-provider-sentinelhub")})

    # -- steering, faults, clock

    async def get_steering(self, _: Request) -> Response:
        """Return all settings."""
        return JSONResponse(self._steering.to_json())

    async def patch_steering(self, request: Request) -> Response:
        """Change some settings."""
        self._steering.merge(parsed(await request.body()))
        self._engine.wake_all()
        return JSONResponse(self._steering.to_json())

    async def reset_steering(self, _: Request) -> Response:
        """Go back to the defaults."""
        self._steering.reset()
        self._engine.wake_all()
        return JSONResponse(self._steering.to_json())

    async def list_faults(self, _: Request) -> Response:
        """Return all fault rules with their counts."""
        return JSONResponse({"data": [fault.to_json() for fault in self._faults.all()]})

    async def add_fault(self, request: Request) -> Response:
        """Add a fault rule."""
        fault = self._faults.add(parsed(await request.body()))
        self._engine.wake_all()
        return JSONResponse(fault.to_json(), status_code=201)

    async def clear_faults(self, _: Request) -> Response:
        """Remove all fault rules."""
        self._faults.remove()
        return Response(status_code=204)

    async def delete_fault(self, request: Request) -> Response:
        """Remove one fault rule."""
        number = request.path_params["id"]
        if not re.fullmatch(r"[0-9]{1,9}", number) or not self._faults.remove(int(number)):
            raise not_found()
        return Response(status_code=204)

    async def get_clock(self, _: Request) -> Response:
        """Tell the sandbox's time."""
        return JSONResponse(
            {"now": timestamp(self._clock.now()), "advanced_seconds": self._clock.advanced_seconds}
        )

    async def advance_clock(self, request: Request) -> Response:
        """Move the sandbox's clock."""
        body = parsed(await request.body())
        seconds = body.get("advance_seconds") if isinstance(body, dict) else None
        if not is_number(seconds) or not 0 <= seconds <= 1e9:
            raise bad_payload("advance_seconds must be a number, 0 or more.")
        self._clock.advance(seconds)
        self._engine.wake_all()
        return await self.get_clock(request)

    # -- accounts, tokens, requests

    async def list_accounts(self, _: Request) -> Response:
        """Return all accounts, without their secrets."""
        return JSONResponse({"data": [_account(account) for account in self._store.accounts()]})

    async def add_account(self, request: Request) -> Response:
        """Add an account: ``client_id``, ``client_secret``, ``balance_pu`` if it is not the default."""
        body = parsed(await request.body())
        fields = body if isinstance(body, dict) else {}
        names = [fields.get("client_id"), fields.get("client_secret")]
        balance = fields.get("balance_pu", DEFAULT_BALANCE_PU)
        if not all(isinstance(name, str) and name for name in names) or not is_number(balance):
            raise bad_payload("client_id and client_secret must be given, balance_pu may be.")
        if self._store.account(fields["client_id"]) is not None:
            raise ApiError(409, "There is such an account already.", "COMMON_UNIQUE_KEY_VIOLATION")
        account = self._store.add_account(fields["client_id"], fields["client_secret"], balance)
        return JSONResponse(_account(account), status_code=201)

    async def expire_tokens(self, _: Request) -> Response:
        """Make all tokens invalid."""
        self._tokens.expire_all()
        return Response(status_code=204)

    async def expire_request(self, request: Request) -> Response:
        """Forget a request, as the service does after a while."""
        task = self._store.task(request.path_params["id"])
        if task is None:
            raise not_found()
        self._store.update_task(task.id, forgotten=True)
        self._engine.wake(task.id)
        return Response(status_code=204)

    # -- journal

    async def get_journal(self, _: Request) -> Response:
        """Return the calls served, and what was accepted and billed per request."""
        calls = [{**call, "time": timestamp(call["time"])} for call in self._store.calls()]
        return JSONResponse({"calls": calls, "requests": self._store.tallies()})

    async def clear_journal(self, _: Request) -> Response:
        """Forget the calls and set the counters to zero."""
        self._store.clear_journal()
        return Response(status_code=204)


def _account(account: Account) -> dict[str, object]:
    return {
        "client_id": account.client_id,
        "project_id": account.project_id,
        "workspace_id": account.workspace_id,
        "balance_pu": account.balance_pu,
    }
