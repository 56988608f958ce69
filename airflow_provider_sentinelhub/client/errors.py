"""Everything that can go wrong with Sentinel Hub, by name.

::

    SentinelHubError
    ├── DefinitionError              what the author wrote cannot work; every fault is named
    ├── TransportError               no usable answer
    │   ├── UnreachableError         nothing was sent: DNS, refused, TLS
    │   ├── LostReplyError           sent, but no answer: the work may have been done
    │   └── GarbledReplyError        an answer that is not what the API promises
    ├── ApiError                     the service answered with an error
    │   ├── AuthenticationError      401, or the token endpoint refused the credentials
    │   ├── PermissionDeniedError    403
    │   │   └── InsufficientProcessingUnitsError
    │   ├── InvalidRequestError      400 and other 4xx
    │   │   ├── IllegalActionError   the action does not fit the request's status
    │   │   └── EmptyBodyError       a passing fault of the service
    │   ├── NotFoundError            404
    │   ├── ConflictError            409
    │   ├── RateLimitedError         429
    │   └── ServerError              5xx
    ├── BatchError                   a batch request ended, and not well
    │   ├── BatchFailedError         FAILED in analysis or processing
    │   ├── BatchStoppedError        STOPPED
    │   │   ├── BatchStoppedByUserError
    │   │   ├── BatchOutOfPuError
    │   │   └── BatchUnhealthyError
    │   ├── BatchTimeoutError        not ended in the time that was given
    │   ├── BatchExpiredError        the service no longer knows the request
    │   ├── BudgetExceededError      not started: it costs more than it may
    │   ├── PuLimitPassedError       it has spent more than it may, and was stopped
    │   ├── UnknownStatusError       a status that this version has never heard of
    │   ├── IncompleteDeliveryError  DONE, but tiles failed or are missing
    │   └── RepairError              the rest of a delivery cannot be asked for
    └── DeliveryError                what lies on the bucket cannot be read
        ├── HalfWrittenError         cut off, torn or not up to date yet
        └── UnreadableDeliveryError  not written by the service, or not where this provider can look

``retryable`` says whether the same call, made later and unchanged, can succeed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class SentinelHubError(Exception):
    """Base of every error of this client."""

    retryable: ClassVar[bool] = False


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a definition: where, what, and what to do about it."""

    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}. {self.remedy}"


class DefinitionError(SentinelHubError):
    """What the author wrote cannot work; ``faults`` says why, all of it.

    ``subject`` is what was written: a batch request, a connection.
    """

    def __init__(self, faults: Sequence[Fault], subject: str = "batch request") -> None:
        self.faults = tuple(faults)
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = "".join(f"\n  - {fault}" for fault in faults)
        super().__init__(f"The {subject} cannot work, {count}:{lines}")


class TransportError(SentinelHubError):
    """There was no usable answer."""

    retryable = True


class UnreachableError(TransportError):
    """The service could not be reached; nothing was sent."""


class LostReplyError(TransportError):
    """The call was sent and no answer came: whether the work was done is not known."""


class GarbledReplyError(TransportError):
    """The answer is not what the API promises, a web page for instance."""


@dataclass(frozen=True)
class ErrorBody:
    """What the service says about an error, whichever of its shapes it chose."""

    message: str = ""
    code: str = ""
    violations: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "; ".join(part for part in (self.message, *self.violations) if part) or "no reason given"


class ApiError(SentinelHubError):
    """The service answered with an HTTP error status.

    ``status`` is the HTTP status; ``body`` what the service said; ``retry_after`` the seconds it asked to
    wait, if it did.
    """

    next_step: ClassVar[str] = ""

    def __init__(
        self, what: str, status: int, body: ErrorBody | None = None, *, retry_after: float | None = None
    ) -> None:
        self.status = status
        self.body = body or ErrorBody()
        self.retry_after = retry_after
        label = f"{status} {self.body.code}".strip()
        super().__init__(f"{what}: {self.body} ({label}).{' ' if self.next_step else ''}{self.next_step}")


class AuthenticationError(ApiError):
    """The credentials, or the token made from them, were refused."""

    next_step = (
        "Check the connection's client id (login), client secret (password) and deployment: "
        "an OAuth client of one deployment is unknown to the others."
    )


class PermissionDeniedError(ApiError):
    """The account may not do this."""

    next_step = (
        "The account needs a plan with Batch Processing "
        "(Enterprise at Planet, a Copernicus Service account at CDSE)."
    )


class InsufficientProcessingUnitsError(PermissionDeniedError):
    """The account's balance is below what the service asks for (1000 PU to create a batch request)."""

    next_step = "Top up the account's processing units, then run the task again."


class InvalidRequestError(ApiError):
    """The service refused the call as it was made."""


class IllegalActionError(InvalidRequestError):
    """The action does not fit the status that the request has now."""

    next_step = "Look at the request's status before acting on it again."


class EmptyBodyError(InvalidRequestError):
    """The service claims an empty body where there was one: seen now and then, passes by itself."""

    retryable = True


class NotFoundError(ApiError):
    """The service does not know this."""

    next_step = (
        "Check the id, and that the connection is of the account and deployment that made it; "
        "old requests are forgotten by the service."
    )


class ConflictError(ApiError):
    """The request is being worked on and cannot be changed now."""

    retryable = True


class RateLimitedError(ApiError):
    """Too many calls; nothing was done."""

    retryable = True
    next_step = "The account's rate limit is exhausted: wait, or space the calls out."


class ServerError(ApiError):
    """The service failed; whether the work was done is not known."""

    retryable = True


class BatchError(SentinelHubError):
    """A batch request ended, and not well; ``restartable`` says whether a start can make it go on."""

    restartable: ClassVar[bool] = False
    next_step: ClassVar[str] = ""

    def __init__(self, request_id: str, what: str) -> None:
        self.request_id = request_id
        super().__init__(f"Batch request {request_id} {what}{' ' if self.next_step else ''}{self.next_step}")


class BatchFailedError(BatchError):
    """FAILED: the service gave up in analysis or processing; it cannot be restarted."""

    next_step = "A failed request cannot be restarted: mend the cause and create a new one."


class BatchStoppedError(BatchError):
    """STOPPED, for a reason this version does not know."""

    restartable = True
    next_step = "Delivered tiles stay on the bucket; start the request again to process the rest."


class BatchStoppedByUserError(BatchStoppedError):
    """STOPPED by a person or a program; the service refuses a restart for 30 minutes."""

    next_step = "Delivered tiles stay; to process the rest, start it again no sooner than 30 minutes later."


class BatchOutOfPuError(BatchStoppedError):
    """STOPPED because the account ran out of processing units; no restart for 60 minutes."""

    next_step = "Top up the account's processing units and start it again no sooner than 60 minutes later."


class BatchUnhealthyError(BatchStoppedError):
    """STOPPED by the service because too many tiles kept failing."""

    next_step = (
        "Read the errors in the execution database beside the delivery, mend the cause, "
        "then start it again or ask Sentinel Hub's support to."
    )


class BatchExpiredError(BatchError):
    """The service no longer knows the request (404 on an id that it once gave)."""

    next_step = "Old requests are forgotten while delivered tiles stay: list the bucket, or create a new one."


class BatchTimeoutError(BatchError):
    """The time that was given is over."""

    next_step = "Give it a longer timeout; a stopped request can be started again 30 minutes later."


class BudgetExceededError(BatchError):
    """The request was not started: its price does not fit what may be spent. ``table`` is its terms."""

    next_step = "It stays analysed: allow more and run the task again, which then starts it."

    def __init__(self, request_id: str, what: str, table: str = "") -> None:
        super().__init__(request_id, what)
        self.table = table

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.table}" if self.table else super().__str__()


class PuLimitPassedError(BatchError):
    """The request has spent more than it was given."""

    next_step = (
        "Delivered tiles stay; to process the rest, raise stop_over_pu and run the task again. "
        "The service allows a restart 30 minutes after the stop."
    )


class UnknownStatusError(BatchError):
    """The service reports a status that this version has never heard of."""

    next_step = (
        "Look the request up in the service's dashboard; a newer version of this provider may know it."
    )


class IncompleteDeliveryError(BatchError):
    """The request is DONE, but more tiles failed or are not on the bucket than was allowed."""

    next_step = (
        "Repair it with SentinelHubRepairBatchOperator, or repair_attempts: only those tiles are processed "
        "and paid for again."
    )


class RepairError(BatchError):
    """The tiles that were not delivered cannot be asked for again by themselves."""


class DeliveryError(SentinelHubError):
    """What lies on the bucket beside the tiles cannot be read."""


class HalfWrittenError(DeliveryError):
    """A record is cut off, torn or behind: it was caught while it was written, or the upload broke off."""

    retryable = True


class UnreadableDeliveryError(DeliveryError):
    """A record is not what the service writes, or the delivery is where this provider cannot look."""


def decode_error(text: str) -> ErrorBody:
    """Read an error body in any of the shapes that the service is known to send.

    Wrapped (``{"error": {...}}``), bare (``{"status": …, "message": …}``), OAuth's
    (``{"error": "invalid_client", "error_description": …}``), the Catalog's (``{"code", "description"}``),
    an HTML page of a gateway, or nothing.
    """
    try:
        body = json.loads(text)
    except ValueError:
        return ErrorBody()
    if not isinstance(body, dict):
        return ErrorBody()
    error = body.get("error", body)
    if isinstance(error, str):
        return ErrorBody(message=str(body.get("error_description") or error), code=error)
    if not isinstance(error, dict):
        return ErrorBody()
    return ErrorBody(
        message=str(error.get("message") or error.get("description") or error.get("reason") or ""),
        code=str(error.get("code") or ""),
        violations=tuple(_violations(error.get("errors"))),
    )


def _violations(errors: Any) -> Iterable[str]:
    # The document types `errors` as an object; the service sends a list of objects.
    for item in [errors] if isinstance(errors, dict) else errors or ():
        if isinstance(item, dict):
            where, why = item.get("parameter"), item.get("violation") or item.get("message")
            yield f"{where}: {why}" if where and why else str(why or where or item)
        else:
            yield str(item)


_BY_STATUS: dict[int, type[ApiError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitedError,
}


def api_error(what: str, status: int, body: ErrorBody, retry_after: float | None = None) -> ApiError:
    """Name the error that an HTTP status and the service's words mean; ``what`` says what was being done."""
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else InvalidRequestError)
    if status == 403 and body.code == "ACCESS_INSUFFICIENT_PROCESSING_UNITS":
        kind = InsufficientProcessingUnitsError
    elif status == 400 and body.message.startswith("Illegal to change userAction"):
        # The service has no code of its own for this: its wording is all there is.
        kind = IllegalActionError
    elif status == 400 and body.message == "Request body should be non-empty.":
        kind = EmptyBodyError
    elif status in (400, 401) and body.code in ("invalid_client", "unauthorized_client", "OAUTH_ERROR"):
        kind = AuthenticationError
    return kind(what, status, body, retry_after=retry_after)
