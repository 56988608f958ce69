"""OAuth tokens: fetched once per credentials and process, shared by threads, renewed before they expire."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.errors import GarbledReplyError
from airflow_provider_sentinelhub.client.http import Call

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.client.deployments import Credentials
    from airflow_provider_sentinelhub.client.http import Http
    from airflow_provider_sentinelhub.client.retries import Backoff

# A token is renewed so many seconds before it expires, a short-lived one after three quarters of its life.
_LEEWAY = 120.0


class TokenSource:
    """The token of one OAuth client at one token endpoint.

    Use `shared_token_source`: the service limits token calls, so a process keeps one source per client.
    """

    def __init__(self, token_url: str, credentials: Credentials) -> None:
        self._token_url = token_url
        self._credentials = credentials
        self._lock = threading.Lock()
        self._token: str | None = None
        self._renew_at = 0.0

    def token(self, http: Http, backoff: Backoff, *, refused: str | None = None) -> str:
        """Return a valid token; ``refused`` is one that the service has just answered with a 401.

        One fetch at a time: threads that ask meanwhile wait for it and share its result. Times are wall
        clock, as a machine that slept must not believe in an old token.
        """
        with self._lock:
            if self._token is None or time.time() >= self._renew_at or self._token == refused:
                self._token = None
                self._fetch(http, backoff)
            if self._token is None:
                raise AssertionError
            return self._token

    def _fetch(self, http: Http, backoff: Backoff) -> None:
        call = Call(
            "Fetching an access token",
            "POST",
            self._token_url,
            form={
                "grant_type": "client_credentials",
                "client_id": self._credentials.client_id,
                "client_secret": self._credentials.client_secret,
            },
        )
        answer = backoff.call(lambda: http.send(call).json(), safe=True)
        try:
            token, lifetime = str(answer["access_token"]), float(answer["expires_in"])
        except (TypeError, KeyError, ValueError) as error:
            raise GarbledReplyError(
                f"Fetching an access token: the answer of {self._token_url} holds no token. "
                "Check the connection's token_url."
            ) from error
        self._token = token
        self._renew_at = time.time() + lifetime - min(_LEEWAY, lifetime / 4)


_sources: dict[str, TokenSource] = {}
_sources_lock = threading.Lock()


def shared_token_source(token_url: str, credentials: Credentials) -> TokenSource:
    """Return this process's source for these credentials; another secret is another source."""
    key = hashlib.sha256(
        "\0".join((token_url, credentials.client_id, credentials.client_secret)).encode()
    ).hexdigest()
    with _sources_lock:
        return _sources.setdefault(key, TokenSource(token_url, credentials))
