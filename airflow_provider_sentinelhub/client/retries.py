"""When to call again, and how long to wait before: decided here, carried out by a thread or an event loop."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_sentinelhub.client.errors import (
    ApiError,
    EmptyBodyError,
    RateLimitedError,
    SentinelHubError,
    UnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tenacity import RetryCallState

T = TypeVar("T")

# Errors that prove that the service did no work.
_NOTHING_DONE = (UnreachableError, RateLimitedError, EmptyBodyError)

MIN_WAIT = 0.1
MAX_WAIT = 120.0


def retry_after_seconds(header: str | None) -> float | None:
    """Read a ``Retry-After`` header: Sentinel Hub means **milliseconds** (documented, unlike HTTP's seconds).

    Returns seconds between 0.1 and 120, or None for a missing or unreadable header.
    """
    try:
        milliseconds = float(header) if header is not None else None
    except ValueError:
        return None
    if milliseconds is None or math.isnan(milliseconds):
        return None
    return min(max(milliseconds / 1000, MIN_WAIT), MAX_WAIT)


def may_retry(error: BaseException, *, safe: bool) -> bool:
    """Whether the same call may be made again.

    A safe call (one that may happen twice without harm) is repeated after any passing fault; any other only
    after an error that proves that nothing was done.
    """
    if not isinstance(error, SentinelHubError):
        return False
    return error.retryable if safe else isinstance(error, _NOTHING_DONE)


@dataclass(frozen=True)
class Backoff:
    """Exponential waits with jitter; ``attempts`` counts the calls, the first one included."""

    attempts: int = 6
    first: float = 0.5
    factor: float = 2.0
    longest: float = 30.0

    def wait(self, failures: int, error: BaseException | None = None) -> float:
        """Seconds to wait after ``failures`` failed calls in a row; what the service asks for comes first."""
        asked = error.retry_after if isinstance(error, ApiError) else None
        jitter = 1 + 0.25 * random.random()  # noqa: S311
        if asked is not None:
            return asked * jitter
        return min(self.longest, self.first * self.factor ** (failures - 1)) * jitter

    def call(self, function: Callable[[], T], *, safe: bool) -> T:
        """Call, and call again as `may_retry` allows; the error that ends it is the last call's own."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return self.wait(state.attempt_number, error)

        retrying = Retrying(
            retry=retry_if_exception(lambda error: may_retry(error, safe=safe)),
            wait=wait,
            stop=stop_after_attempt(self.attempts),
            reraise=True,
        )
        return retrying(function)
