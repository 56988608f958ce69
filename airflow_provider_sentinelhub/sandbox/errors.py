"""Errors as the service words them.

The body is ``{"error": {status, reason, message, code, errors?}}`` (seen in the wild; the published document
types ``errors`` as an object, real answers carry a list of ``{parameter, violation}``).
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Violation:
    """One fault of a request body; ``parameter`` is its place, e.g. ``output->delivery->s3->url``."""

    parameter: str
    violation: str


class ApiError(Exception):
    """An answer other than 2xx, in the service's own form."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str,
        *,
        violations: Sequence[Violation] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.violations = tuple(violations)
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """Return the answer to send."""
        return JSONResponse(
            {"error": error_body(self.status, self.message, self.code, self.violations)},
            status_code=self.status,
            headers=self.headers,
        )


def error_body(status: int, message: str, code: str, violations: Sequence[Violation] = ()) -> dict[str, Any]:
    """Return the error object itself; rate-limit answers carry it without the ``error`` wrapper."""
    body: dict[str, Any] = {
        "status": status,
        "reason": reason(status),
        "message": message,
        "code": code,
    }
    if violations:
        body["errors"] = [{"parameter": v.parameter, "violation": v.violation} for v in violations]
    return body


def catalog_error(status: int, description: str) -> dict[str, Any]:
    """Return the Catalog's error body; ``code`` is the status (seen in the wild, published as a text)."""
    return {"code": status, "description": description}


def reason(status: int) -> str:
    """Return the reason phrase of an HTTP status, empty for one nobody registered."""
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""


def bad_payload(message: str, violations: Sequence[Violation] = ()) -> ApiError:
    """400 for a body or parameter the service cannot accept."""
    return ApiError(400, message, "COMMON_BAD_PAYLOAD", violations=violations)


def not_found(message: str = "The requested resource was not found.") -> ApiError:
    """404; the wording is assumed."""
    return ApiError(404, message, "COMMON_NOT_FOUND")


def unauthorized() -> ApiError:
    """401 as the service words it for a missing, expired or foreign token."""
    return ApiError(
        401,
        "You are not authorized! Please provide a valid access token within the header "
        "[Authorization: Bearer <accessToken>] of your request.",
        "COMMON_UNAUTHORIZED",
        headers={"WWW-Authenticate": "Bearer"},
    )


def out_of_units() -> ApiError:
    """403 for an account with fewer processing units than an operation needs (wording seen in the wild)."""
    return ApiError(
        403,
        "Insufficient processing units or requests available in your account.",
        "ACCESS_INSUFFICIENT_PROCESSING_UNITS",
    )


def method_not_allowed(allowed: Sequence[str]) -> ApiError:
    """405 with the ``Allow`` header; the wording is assumed."""
    return ApiError(
        405,
        "The requested method is not allowed for this resource.",
        "COMMON_METHOD_NOT_ALLOWED",
        headers={"Allow": ", ".join(sorted(allowed))},
    )


def unsupported_media_type(content_type: str) -> ApiError:
    """415; the wording is assumed."""
    shown = content_type or "none"
    return ApiError(415, f"Content type '{shown}' is not supported.", "COMMON_UNSUPPORTED_MEDIA_TYPE")
