"""What the APIs of one account share: its deployment, token, connections and backoff."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_sentinelhub.client.auth import shared_token_source
from airflow_provider_sentinelhub.client.errors import AuthenticationError
from airflow_provider_sentinelhub.client.http import Http, Reply
from airflow_provider_sentinelhub.client.retries import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sentinelhub.client.deployments import Credentials, Deployment
    from airflow_provider_sentinelhub.client.http import Call

T = TypeVar("T")
# The service may forget a token before its time, and the next may run out while a call is repeated.
_FRESH_TOKENS = 2
# The service's documents name both.
_SPENT = ("x-processingunits-spent", "x-processunits")


class Session:
    """Sends the calls of a Sentinel Hub account. Safe to share between threads.

    Calls that may happen twice without harm are repeated as ``backoff`` says, any other only after an error
    that proves that nothing was done.
    """

    def __init__(
        self,
        deployment: Deployment,
        credentials: Credentials,
        *,
        backoff: Backoff | None = None,
        timeout: tuple[float, float] | None = None,
    ) -> None:
        self.deployment = deployment
        self.backoff = backoff or Backoff()
        self._http = Http(timeout) if timeout else Http()
        self._tokens = shared_token_source(deployment.token_url, credentials)

    def json(self, call: Call) -> Any:
        """Make a call; returns the decoded JSON of the answer, None where it has no body."""
        return self.read(call, Reply.json)

    def read(self, call: Call, reader: Callable[[Reply], T]) -> T:
        """Make a call and read its answer; one that ``reader`` calls garbled is asked for again."""

        def send(token: str) -> T:
            return self.backoff.call(lambda: reader(self._http.send(call, token)), safe=call.safe)

        token = self._tokens.token(self._http, self.backoff)
        for _ in range(_FRESH_TOKENS):
            try:
                return send(token)
            except AuthenticationError:
                token = self._tokens.token(self._http, self.backoff, refused=token)
        return send(token)

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()


def units_spent(reply: Reply) -> float | None:
    """Return the processing units that an answer has cost, None where it does not say."""
    for name in _SPENT:
        try:
            return float(reply.headers[name])
        except (KeyError, ValueError):
            continue
    return None
