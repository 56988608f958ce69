from __future__ import annotations

import pytest

from airflow_provider_sentinelhub.client import errors
from airflow_provider_sentinelhub.client.errors import (
    AuthenticationError,
    ConflictError,
    DefinitionError,
    EmptyBodyError,
    ErrorBody,
    Fault,
    IllegalActionError,
    InsufficientProcessingUnitsError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    api_error,
    decode_error,
)

WRAPPED = """{"error": {"status": 400, "reason": "Bad Request", "message": "Invalid request",
 "code": "COMMON_BAD_PAYLOAD", "errors": [{"parameter": "output->resx", "violation": "must be positive"}]}}"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WRAPPED, ErrorBody("Invalid request", "COMMON_BAD_PAYLOAD", ("output->resx: must be positive",))),
        # `errors` is an object in the published document, a list on the wire.
        (
            '{"error": {"message": "m", "errors": {"parameter": "p", "violation": "v"}}}',
            ErrorBody("m", "", ("p: v",)),
        ),
        (
            '{"error": "invalid_client", "error_description": "Invalid client credentials"}',
            ErrorBody("Invalid client credentials", "invalid_client"),
        ),
        (
            '{"error": {"status": 400, "message": "Illegal secret!", "code": "OAUTH_ERROR"}}',
            ErrorBody("Illegal secret!", "OAUTH_ERROR"),
        ),
        (
            '{"status": 429, "message": "You have exceeded your rate limit", "code": "RATE_LIMIT_EXCEEDED"}',
            ErrorBody("You have exceeded your rate limit", "RATE_LIMIT_EXCEEDED"),
        ),
        (
            '{"code": "NotFound", "description": "no such collection"}',
            ErrorBody("no such collection", "NotFound"),
        ),
        ('{"error": {"reason": "Forbidden"}}', ErrorBody("Forbidden")),
        ("<html>Bad Gateway</html>", ErrorBody()),
        ("", ErrorBody()),
        ("[1]", ErrorBody()),
        ('{"error": 3}', ErrorBody()),
        ('{"error": {"message": "m", "errors": ["plain"]}}', ErrorBody("m", "", ("plain",))),
    ],
)
def test_every_known_shape_of_an_error_body_is_read(text: str, expected: ErrorBody) -> None:
    assert decode_error(text) == expected


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (400, ErrorBody("anything"), InvalidRequestError, False),
        (
            400,
            ErrorBody("Illegal to change userAction from START to STOP with task status CREATED"),
            IllegalActionError,
            False,
        ),
        (400, ErrorBody("Request body should be non-empty."), EmptyBodyError, True),
        (400, ErrorBody("Illegal secret!", "OAUTH_ERROR"), AuthenticationError, False),
        (401, ErrorBody(), AuthenticationError, False),
        (403, ErrorBody(), PermissionDeniedError, False),
        (403, ErrorBody("", "ACCESS_INSUFFICIENT_PROCESSING_UNITS"), InsufficientProcessingUnitsError, False),
        (404, ErrorBody(), NotFoundError, False),
        (409, ErrorBody(), ConflictError, True),
        (415, ErrorBody(), InvalidRequestError, False),
        (429, ErrorBody(), RateLimitedError, True),
        (500, ErrorBody(), ServerError, True),
        (503, ErrorBody(), ServerError, True),
    ],
)
def test_every_status_has_its_named_error(
    status: int, body: ErrorBody, kind: type[errors.ApiError], retryable: bool
) -> None:
    error = api_error("Reading", status, body)
    assert type(error) is kind
    assert error.retryable is retryable
    assert str(status) in str(error)


def test_a_definition_error_names_every_fault() -> None:
    error = DefinitionError([Fault("a", "is wrong", "Mend it"), Fault("b", "is missing", "Give it")])
    assert str(error) == (
        "The batch request cannot work, 2 faults:\n  - a: is wrong. Mend it\n  - b: is missing. Give it"
    )
