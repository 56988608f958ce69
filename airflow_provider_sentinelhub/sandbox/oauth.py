"""Access tokens: signed, so that they outlive a restart, and revocable all at once."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from starlette.datastructures import FormData
from starlette.responses import JSONResponse, Response

from airflow_provider_sentinelhub.sandbox.errors import error_body, unauthorized
from airflow_provider_sentinelhub.sandbox.routing import base_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from airflow_provider_sentinelhub.sandbox.clock import Clock
    from airflow_provider_sentinelhub.sandbox.records import Account
    from airflow_provider_sentinelhub.sandbox.steering import Steering
    from airflow_provider_sentinelhub.sandbox.store import Store

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class Tokens:
    """Issues and checks tokens for the accounts of the store."""

    def __init__(self, store: Store, clock: Clock, steering: Steering) -> None:
        self._store, self._clock, self._steering = store, clock, steering
        key = store.setting("token_key", None)
        if key is None:
            key = secrets.token_hex(32)
            store.set_setting("token_key", key)
        self._key = bytes.fromhex(key)

    def issue(self, account: Account, issuer: str) -> dict[str, Any]:
        """Return the body of a successful token call."""
        lifetime = self._steering["token_lifetime"]
        now = self._clock.now()
        claims = {
            "exp": int(now + lifetime),
            "iat": int(now),
            "jti": secrets.token_hex(8),
            "iss": issuer,
            "azp": account.client_id,
            "generation": self._store.setting("token_generation", 0),
        }
        return {
            "access_token": self._sign(claims),
            "expires_in": lifetime,
            "refresh_expires_in": 0,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": "email profile",
        }

    def account(self, request: Request) -> Account:
        """Return the account a call is made for; raises 401 unless its token is valid now."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        claims = self._verify(token.strip()) if scheme.lower() == "bearer" else None
        if claims is None or claims["exp"] <= self._clock.now():
            raise unauthorized()
        if claims["generation"] != self._store.setting("token_generation", 0):
            raise unauthorized()
        account = self._store.account(claims["azp"])
        if account is None:
            raise unauthorized()
        return account

    def guard(
        self, handler: Callable[[Request, Account], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler that is called with the account; without a valid token it raises 401."""

        async def call(request: Request) -> Response:
            return await handler(request, self.account(request))

        return call

    def expire_all(self) -> None:
        """Make every token issued so far invalid."""
        self._store.set_setting("token_generation", self._store.setting("token_generation", 0) + 1)

    def _sign(self, claims: dict[str, Any]) -> str:
        head = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
        signed = f"{head}.{_encode(json.dumps(claims).encode())}"
        return f"{signed}.{_encode(hmac.digest(self._key, signed.encode(), hashlib.sha256))}"

    def _verify(self, token: str) -> dict[str, Any] | None:
        signed, _, signature = token.rpartition(".")
        expected = _encode(hmac.digest(self._key, signed.encode("utf-8", "replace"), hashlib.sha256))
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            return None
        claims: dict[str, Any] = json.loads(_decode(signed.partition(".")[2]))
        return claims


async def token_endpoint(request: Request, store: Store, tokens: Tokens, *, legacy: bool) -> Response:
    """Answer a client-credentials call: id and secret in the body or in a Basic header.

    Errors are Keycloak's, with a text in ``error``; the ``legacy`` endpoint answers with the API's own error
    object.
    """
    form = await _form(request)
    grant = form.get("grant_type")
    if not legacy and grant != "client_credentials":
        error = "invalid_request" if grant is None else "unsupported_grant_type"
        text = "Missing form parameter: grant_type" if grant is None else "Unsupported grant_type"
        return _refusal(400, error, text)
    client_id, client_secret = _credentials(request, form)
    account = store.account(client_id)
    known = account.client_secret if account else secrets.token_hex(8)
    if not hmac.compare_digest(known.encode(), client_secret.encode()) or account is None:
        if legacy:
            body = {"error": error_body(400, "Illegal secret!", "OAUTH_ERROR")}
            return JSONResponse(body, status_code=400, headers=_NO_STORE)
        return _refusal(401, "invalid_client", "Invalid client or Invalid client credentials")
    issuer = base_url(request) + request.scope["path"].partition("/protocol/")[0]
    return JSONResponse(tokens.issue(account, issuer), headers=_NO_STORE)


def _refusal(status: int, error: str, description: str) -> Response:
    return JSONResponse(
        {"error": error, "error_description": description}, status_code=status, headers=_NO_STORE
    )


async def _form(request: Request) -> FormData:
    if "form-urlencoded" not in request.headers.get("content-type", ""):
        return FormData()
    return await request.form()


def _credentials(request: Request, form: FormData) -> tuple[str, str]:
    """Return client id and secret; two empty texts if there are none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, client_secret = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return "", ""
        return unquote_plus(client_id), unquote_plus(client_secret)
    return str(form.get("client_id", "")), str(form.get("client_secret", ""))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
