"""What a batch request's status means for somebody who waits: the only place where statuses are weighed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from enum import Enum

from airflow_provider_sentinelhub.client.errors import (
    BatchError,
    BatchFailedError,
    BatchOutOfPuError,
    BatchStoppedByUserError,
    BatchStoppedError,
    BatchUnhealthyError,
    DefinitionError,
    Fault,
    UnknownStatusError,
)
from airflow_provider_sentinelhub.client.models import BatchRequest, BatchStatus

# Good statuses in the order in which a request goes through them. An analysis that finds nothing left to do
# ends in DONE, so that a request may skip the steps between.
_LIFE = (
    BatchStatus.CREATED,
    BatchStatus.ANALYSING,
    BatchStatus.ANALYSIS_DONE,
    BatchStatus.PROCESSING,
    BatchStatus.DONE,
)
TARGETS = (BatchStatus.ANALYSIS_DONE, BatchStatus.DONE)

_STOPPED: dict[str, type[BatchStoppedError]] = {
    "USER_ACTION": BatchStoppedByUserError,
    "OUT_OF_PU": BatchOutOfPuError,
    "UNHEALTHY": BatchUnhealthyError,
}


def target(status: str) -> BatchStatus:
    """Read a status that can be waited for; raises `DefinitionError` for any other."""
    if status not in [str(known) for known in TARGETS]:
        fault = Fault("target_status", f"{status!r} cannot be waited for", "Choose ANALYSIS_DONE or DONE")
        raise DefinitionError([fault], subject="wait")
    return BatchStatus(status)


def reached(request: BatchRequest, goal: BatchStatus) -> bool:
    """Whether the request is at ``goal`` or at a later good status: False is "not yet".

    Raises the `BatchError` that names the ending when the goal cannot be reached any more.
    """
    ending = ending_error(request)
    if ending is not None:
        raise ending
    return request.status in _LIFE and _LIFE.index(request.status) >= _LIFE.index(goal)


def ending_error(request: BatchRequest) -> BatchError | None:
    """Name the bad ending that a request has come to; None while it lives and when it is DONE."""
    because = f": {request.error.rstrip('.')}" if request.error else ""
    if request.status is BatchStatus.FAILED:
        # Before processing nothing is spent, but processing may fail before anything is spent as well.
        phase = " in processing" if request.cost_pu else ""
        return BatchFailedError(request.id, f"FAILED{phase}{because or ', no reason given'}.")
    if request.status is BatchStatus.STOPPED and not _restarting(request):
        kind = _STOPPED.get(request.stopped_reason, BatchStoppedError)
        reason = request.stopped_reason or "no reason given"
        return kind(request.id, f"was STOPPED ({reason}){because}, {request.progress}.")
    if request.status is BatchStatus.UNKNOWN:
        return UnknownStatusError(request.id, f"has the status {request.raw_status!r}, which is not known.")
    return None


def _restarting(request: BatchRequest) -> bool:
    """Whether a stopped request was started again and the service has not picked that up yet.

    A stop by the service itself leaves START as the last action, so that it looks the same before and after
    a restart: such a request counts as stopped until its status says otherwise.
    """
    return request.user_action == "START" and request.stopped_reason == "USER_ACTION"


def idle(request: BatchRequest) -> str | None:
    """Say what a request lacks when nobody has asked for its next step; None while it moves or has ended."""
    if request.status is BatchStatus.CREATED and request.user_action in ("", "NONE"):
        return "created, but neither analysed nor started"
    if request.status is BatchStatus.ANALYSIS_DONE and request.user_action != "START":
        return "analysed, but not started"
    return None


def started(request: BatchRequest) -> bool:
    """Whether the request has been started, so that a start is not needed and not to be repeated."""
    if request.status is BatchStatus.STOPPED:
        return _restarting(request)
    return request.user_action == "START" or request.status in (BatchStatus.PROCESSING, BatchStatus.DONE)


def processed(request: BatchRequest) -> bool:
    """Whether the processing is over, well or with failed tiles."""
    return request.status is BatchStatus.DONE


def adoptable(request: BatchRequest) -> bool:
    """Whether a request can still come to something; a FAILED one cannot."""
    return request.status is not BatchStatus.FAILED


def begun(request: BatchRequest) -> bool:
    """Whether a request was ever started, so that it may have been paid for."""
    return request.user_action == "START" or request.status in (
        BatchStatus.PROCESSING,
        BatchStatus.STOPPED,
        BatchStatus.DONE,
    )


class Step(Enum):
    """What somebody who wants a request done does next."""

    ANALYSE = "have it analysed"
    START = "start it"
    RESTART = "start it again, as soon as the service allows"
    WAIT_FOR_ANALYSIS = "wait for the analysis"
    WAIT_FOR_PROCESSING = "wait for the processing"
    FINISH = "take the result"

    @property
    def goal(self) -> str:
        """The status to wait for, where the step is to wait."""
        return str(BatchStatus.ANALYSIS_DONE if self is Step.WAIT_FOR_ANALYSIS else BatchStatus.DONE)


def next_step(
    request: BatchRequest,
    *,
    analyse_only: bool = False,
    restart: bool = False,
    wait: bool = True,
    analyse_first: bool = False,
) -> Step:
    """Say what comes next; raises the bad ending that the request has come to.

    ``restart``: a stop is not the end, the request is to be started again. Without ``wait``, all is done as
    soon as everything has been asked for; a start then includes the analysis, unless ``analyse_first``.
    """
    ending = ending_error(request)
    if ending is not None:
        if restart and ending.restartable and not analyse_only:
            return Step.RESTART
        raise ending
    goal = BatchStatus.ANALYSIS_DONE if analyse_only else BatchStatus.DONE
    left_alone = not wait and not analyse_only and started(request)
    if left_alone or reached(request, goal):
        return Step.FINISH
    if not wait and (analyse_only or not analyse_first):
        asked, ask = (analysed, Step.ANALYSE) if analyse_only else (started, Step.START)
        return Step.FINISH if asked(request) else ask
    if not analysed(request):
        return Step.ANALYSE
    if not reached(request, BatchStatus.ANALYSIS_DONE):
        return Step.WAIT_FOR_ANALYSIS
    return Step.WAIT_FOR_PROCESSING if started(request) else Step.START


def over(request: BatchRequest) -> bool:
    """Whether the request spends nothing any more, unless it is started again."""
    return request.status in (BatchStatus.DONE, BatchStatus.FAILED) or (
        request.status is BatchStatus.STOPPED and not _restarting(request)
    )


def spent_more_than(request: BatchRequest, limit: float | None) -> bool:
    """Whether the request has spent more processing units than a limit, which None is not."""
    return limit is not None and request.cost_pu is not None and request.cost_pu > limit


def restart_allowed_at(request: BatchRequest) -> datetime:
    """Say when the service takes a stopped request up again (documented: after 30 minutes; out of PU, 60)."""
    lock = timedelta(minutes=60 if request.stopped_reason == "OUT_OF_PU" else 30)
    stopped_at = request.last_updated or request.user_action_updated or datetime.now(timezone.utc)
    return stopped_at + lock


def stopped(request: BatchRequest) -> bool:
    """Whether the request no longer runs, or was told to stop."""
    if request.status is BatchStatus.STOPPED:
        return not _restarting(request)
    return request.user_action == "STOP" or request.status in (BatchStatus.DONE, BatchStatus.FAILED)


def stoppable(request: BatchRequest) -> bool:
    """Whether the service accepts a stop now: not before the request has moved."""
    return request.status in (BatchStatus.ANALYSING, BatchStatus.ANALYSIS_DONE, BatchStatus.PROCESSING)


def analysed(request: BatchRequest) -> bool:
    """Whether the analysis has been asked for or done."""
    return request.user_action in ("ANALYSE", "START") or request.status not in (
        BatchStatus.CREATED,
        BatchStatus.UNKNOWN,
    )


def forgotten(request_id: str) -> BatchRequest:
    """Stand in for a request that the service has forgotten: what it has delivered is all there will be."""
    return BatchRequest(id=request_id, status=BatchStatus.DONE)
