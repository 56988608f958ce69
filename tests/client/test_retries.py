from __future__ import annotations

import pytest

from airflow_provider_sentinelhub.client import errors
from airflow_provider_sentinelhub.client.errors import ErrorBody, api_error
from airflow_provider_sentinelhub.client.retries import Backoff, may_retry, retry_after_seconds

QUICK = Backoff(attempts=4, first=0.001, longest=0.002)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3398", 3.398),  # the service's own example: milliseconds
        ("0", 0.1),
        ("-5", 0.1),
        ("9999999", 120.0),
        ("inf", 120.0),
        ("nan", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_in_milliseconds_and_bounded(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds


@pytest.mark.parametrize(
    ("error", "safe", "unsafe"),
    [
        (errors.UnreachableError("x"), True, True),
        (errors.LostReplyError("x"), True, False),
        (errors.GarbledReplyError("x"), True, False),
        (api_error("x", 429, ErrorBody()), True, True),
        (api_error("x", 503, ErrorBody()), True, False),
        (api_error("x", 400, ErrorBody("Request body should be non-empty.")), True, True),
        (api_error("x", 400, ErrorBody()), False, False),
        (api_error("x", 401, ErrorBody()), False, False),
        (api_error("x", 404, ErrorBody()), False, False),
        (ValueError("x"), False, False),
    ],
)
def test_a_call_that_may_cost_is_repeated_only_when_nothing_was_done(
    error: Exception, safe: bool, unsafe: bool
) -> None:
    assert may_retry(error, safe=True) is safe
    assert may_retry(error, safe=False) is unsafe


def test_the_error_that_ends_it_is_the_last_one() -> None:
    seen: list[Exception] = []

    def fail() -> None:
        seen.append(errors.LostReplyError(f"call {len(seen) + 1}"))
        raise seen[-1]

    with pytest.raises(errors.LostReplyError) as raised:
        QUICK.call(fail, safe=True)
    assert raised.value is seen[-1]
    assert len(seen) == 4


def test_an_unsafe_call_is_made_once() -> None:
    calls = []

    def fail() -> None:
        calls.append(1)
        raise errors.LostReplyError("x")

    with pytest.raises(errors.LostReplyError):
        QUICK.call(fail, safe=False)
    assert len(calls) == 1


def test_waits_grow_up_to_a_limit_and_what_the_service_asks_comes_first() -> None:
    backoff = Backoff(first=1, factor=2, longest=10)
    for failures, least in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (50, 10)):
        assert least <= backoff.wait(failures) <= least * 1.25
    asked = api_error("x", 429, ErrorBody(), retry_after=3.0)
    assert 3 <= backoff.wait(1, asked) <= 3.75
