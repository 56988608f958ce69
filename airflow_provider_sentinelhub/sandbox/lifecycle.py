"""The life cycle of a batch request, as data.

The service checks an action against the previous user action, the new one and the status, and refuses with
``Illegal to change userAction from START to STOP with task status CREATED`` (seen in the wild for that one
cell; the other refusals of the table below are assumed to read alike).
"""

from __future__ import annotations

from airflow_provider_sentinelhub.sandbox.errors import ApiError, bad_payload

CREATED, ANALYSING, ANALYSIS_DONE = "CREATED", "ANALYSING", "ANALYSIS_DONE"
PROCESSING, DONE, FAILED, STOPPED = "PROCESSING", "DONE", "FAILED", "STOPPED"

NONE, ANALYSE, START, STOP = "NONE", "ANALYSE", "START", "STOP"

OUT_OF_PU, USER_ACTION, UNHEALTHY = "OUT_OF_PU", "USER_ACTION", "UNHEALTHY"

# (status, previous user action) -> actions accepted. What is missing is refused.
ACCEPTED: dict[tuple[str, str], frozenset[str]] = {
    (CREATED, NONE): frozenset({ANALYSE, START}),
    (CREATED, ANALYSE): frozenset({START}),
    (ANALYSING, ANALYSE): frozenset({START, STOP}),
    (ANALYSING, START): frozenset({STOP}),
    (ANALYSIS_DONE, ANALYSE): frozenset({START, STOP}),
    (ANALYSIS_DONE, START): frozenset({STOP}),
    (PROCESSING, START): frozenset({STOP}),
    (STOPPED, STOP): frozenset({START}),
    # Stopped by the service: the last action of the user is still START.
    (STOPPED, START): frozenset({START}),
}

# Seconds before a stopped request may be started again: 30 minutes is documented, 60 after OUT_OF_PU is taken
# from the statistical sibling of the API.
RESTART_LOCK = {USER_ACTION: 30 * 60.0, UNHEALTHY: 30 * 60.0, OUT_OF_PU: 60 * 60.0}

# Units an account needs to create (documented), and to analyse, start and go on (taken from the sibling API).
MINIMUM_BALANCE_PU = 1000.0

# A request in one of these, with one of these actions, has work to do without a further call.
_PENDING = {
    (CREATED, ANALYSE),
    (CREATED, START),
    (ANALYSING, ANALYSE),
    (ANALYSING, START),
    (ANALYSING, STOP),
    (ANALYSIS_DONE, START),
    (ANALYSIS_DONE, STOP),
    (PROCESSING, START),
    (PROCESSING, STOP),
}


def check_action(status: str, previous: str, action: str) -> None:
    """Refuse with the service's 400 an action that the status and the previous action do not allow."""
    if action not in ACCEPTED.get((status, previous), frozenset()):
        raise bad_payload(
            f"Illegal to change userAction from {previous} to {action} with task status {status}"
        )


def check_restart(stopped_at: float | None, reason: str | None, now: float) -> None:
    """Refuse to restart a request that was stopped a short while ago (code and wording are assumed)."""
    if stopped_at is None:
        return
    lock = RESTART_LOCK[reason or USER_ACTION]
    if now < stopped_at + lock:
        minutes = int(lock // 60)
        raise ApiError(
            400,
            f"Task was stopped less than {minutes} minutes ago and cannot be restarted yet.",
            "COMMON_BAD_PAYLOAD",
        )


def has_work(status: str, user_action: str, *, picked_up: bool) -> bool:
    """Tell whether the engine has anything to do. A stopped request moves on once START was accepted."""
    if status == STOPPED:
        return user_action == START and not picked_up
    return (status, user_action) in _PENDING


def is_locked(status: str, user_action: str) -> bool:
    """Tell whether a request is processed or waits for it, so that it cannot be updated (documented)."""
    return status in {ANALYSING, PROCESSING} or (user_action == START and status in {CREATED, ANALYSIS_DONE})
