"""The one place that sends HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import (
    ErrorBody,
    GarbledReplyError,
    LostReplyError,
    UnreachableError,
    api_error,
    decode_error,
)
from airflow_provider_sentinelhub.client.retries import retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

# Seconds to connect, and between two bytes of an answer.
TIMEOUT = (10.0, 60.0)
# Parts of a payload that must never come back to a reader of logs, wherever they stand.
_SECRET_KEYS = frozenset({"accessKey", "secretAccessKey", "credentials", "client_secret"})


@dataclass(frozen=True)
class Call:
    """One HTTP call; ``what`` says in words what it is for.

    ``safe`` says that it may happen twice without harm; ``timeout`` is as in `Http`, for a slow one.
    """

    what: str
    method: str
    url: str
    params: Mapping[str, str] | None = None
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    safe: bool = True
    accept: str = "application/json"
    timeout: tuple[float, float] | None = None


@dataclass(frozen=True)
class Reply:
    """A 2xx answer."""

    call: Call
    content: bytes
    headers: Mapping[str, str]

    def json(self) -> Any:
        """Return the decoded JSON, None where there is no body; `GarbledReplyError` for anything else."""
        if not self.content:
            return None
        try:
            return json.loads(self.content)
        except ValueError as error:
            raise GarbledReplyError(
                f"{self.call.what}: the answer of {self.call.url} is not JSON. "
                "Check that the connection's base_url and token_url are those of a Sentinel Hub deployment."
            ) from error


class Http:
    """Sends calls over kept connections and turns every other end than success into a named error."""

    def __init__(self, timeout: tuple[float, float] = TIMEOUT) -> None:
        self.timeout = timeout
        self._kept: requests.Session | None = None

    def send(self, call: Call, token: str | None = None) -> Reply:
        """Send once; raises `TransportError` or `ApiError` for every end but a 2xx answer."""
        import requests

        # A kept connection that the server has just closed loses a reply: a call that must not
        # happen twice gets a connection of its own.
        session = self._session() if call.safe else requests.Session()
        try:
            response = session.request(
                call.method,
                call.url,
                params=call.params,
                json=call.json,
                data=call.form,
                headers={"Accept": call.accept},
                # An auth object, or requests would put a netrc entry in its place.
                auth=_Bearer(token),
                timeout=call.timeout or self.timeout,
                # A POST that follows a redirect loses its body or leaks its token.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise _transport_error(call, error) from error
        finally:
            if not call.safe:
                session.close()
        return _read(call, response, token)

    def _session(self) -> requests.Session:
        if self._kept is None:
            import requests

            self._kept = requests.Session()
        return self._kept

    def close(self) -> None:
        """Close the kept connections."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


class _Bearer:
    def __init__(self, token: str | None) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


def _transport_error(call: Call, error: requests.RequestException) -> Exception:
    import requests
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    host = call.url.split("/")[2] if "//" in call.url else call.url
    reason = error.args[0] if error.args else None
    cause = reason.reason if isinstance(reason, MaxRetryError) else reason
    never_sent = isinstance(
        error,
        requests.ConnectTimeout | requests.exceptions.SSLError | requests.exceptions.ProxyError
        | requests.exceptions.InvalidURL | requests.exceptions.MissingSchema,
    ) or isinstance(cause, NewConnectionError)  # fmt: skip
    if never_sent:
        return UnreachableError(
            f"{call.what}: {host} cannot be reached ({type(cause or error).__name__}). "
            "Check the connection's deployment or base_url and token_url, the network and its proxy."
        )
    return LostReplyError(
        f"{call.what}: no answer from {host} ({type(error).__name__}). The service may have done the work: "
        "look before doing it again."
    )


def _read(call: Call, response: requests.Response, token: str | None) -> Reply:
    if response.status_code >= 400:
        body = decode_error(response.text)
        if not body.message and response.text and "json" not in response.headers.get("Content-Type", ""):
            body = ErrorBody(message=f"an answer without JSON from {response.url.split('?')[0]}")
        raise api_error(
            call.what,
            response.status_code,
            _redacted(body, {token, *_secrets(call.json), *_secrets(call.form)}),
            retry_after_seconds(response.headers.get("Retry-After")),
        )
    if response.status_code >= 300:
        raise GarbledReplyError(
            f"{call.what}: {call.url} answered with a redirect ({response.status_code}). "
            "Check the connection's base_url and token_url, https:// included."
        )
    return Reply(call, response.content, response.headers)


def _secrets(value: Any) -> set[str]:
    """Collect the secret values of a payload."""
    if isinstance(value, dict):
        return {str(v) for k, v in value.items() if k in _SECRET_KEYS and v}.union(
            *map(_secrets, value.values())
        )
    if isinstance(value, list):
        return set().union(*map(_secrets, value))
    return set()


def _redacted(body: ErrorBody, secrets: set[str | None]) -> ErrorBody:
    def clean(text: str) -> str:
        for secret in secrets:
            if secret:
                text = text.replace(secret, "***")
        return text

    return ErrorBody(clean(body.message), clean(body.code), tuple(map(clean, body.violations)))
