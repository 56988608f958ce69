"""The whole truth table of statuses: what somebody who waits is told."""

from __future__ import annotations

import pytest

from airflow_provider_sentinelhub.client import judge
from airflow_provider_sentinelhub.client.errors import (
    BatchError,
    BatchFailedError,
    BatchOutOfPuError,
    BatchStoppedByUserError,
    BatchStoppedError,
    BatchUnhealthyError,
    DefinitionError,
    UnknownStatusError,
)
from airflow_provider_sentinelhub.client.models import BatchRequest, BatchStatus


def request(status: str, action: str = "NONE", **fields: object) -> BatchRequest:
    return BatchRequest.from_wire({"id": "r", "status": status, "userAction": action, **fields})


@pytest.mark.parametrize(
    ("status", "analysis", "done"),
    [
        ("CREATED", False, False),
        ("ANALYSING", False, False),
        ("ANALYSIS_DONE", True, False),
        ("PROCESSING", True, False),
        ("DONE", True, True),
    ],
)
def test_a_later_good_status_counts_as_reached(status: str, analysis: bool, done: bool) -> None:
    assert judge.reached(request(status), BatchStatus.ANALYSIS_DONE) is analysis
    assert judge.reached(request(status), BatchStatus.DONE) is done


@pytest.mark.parametrize(
    ("found", "error", "words"),
    [
        (
            request("FAILED", "ANALYSE", error="bad script"),
            BatchFailedError,
            "FAILED: bad script.",
        ),
        (request("FAILED", "START", costPU=12.5, error="x"), BatchFailedError, "FAILED in processing: x"),
        (
            request("STOPPED", "STOP", stoppedStatusReason="USER_ACTION"),
            BatchStoppedByUserError,
            "30 minutes",
        ),
        (request("STOPPED", "START", stoppedStatusReason="OUT_OF_PU"), BatchOutOfPuError, "60 minutes"),
        (request("STOPPED", "START", stoppedStatusReason="UNHEALTHY"), BatchUnhealthyError, "kept failing"),
        (request("STOPPED", "STOP", stoppedStatusReason="NEW"), BatchStoppedError, "NEW"),
        (request("STOPPED", "STOP"), BatchStoppedError, "no reason given"),
        (request("ARCHIVED"), UnknownStatusError, "'ARCHIVED'"),
        (request(""), UnknownStatusError, "''"),
        (request("done"), UnknownStatusError, "'done'"),
    ],
)
@pytest.mark.parametrize("goal", judge.TARGETS)
def test_every_bad_ending_has_its_own_error(
    found: BatchRequest, error: type[BatchError], words: str, goal: BatchStatus
) -> None:
    with pytest.raises(BatchError) as raised:
        judge.reached(found, goal)
    assert type(raised.value) is error
    assert words in f"{error.__doc__} {raised.value}"
    assert raised.value.request_id == "r"
    assert raised.value.next_step in str(raised.value)


def test_a_stopped_request_that_was_started_again_is_waited_for() -> None:
    assert not judge.reached(request("STOPPED", "START", stoppedStatusReason="USER_ACTION"), BatchStatus.DONE)


@pytest.mark.parametrize("status", ["PROCESSING", "CREATED", "", "unknown", "FAILED"])
def test_only_two_statuses_can_be_waited_for(status: str) -> None:
    with pytest.raises(DefinitionError, match="ANALYSIS_DONE or DONE"):
        judge.target(status)


@pytest.mark.parametrize(
    ("found", "analysed", "started", "stoppable", "stopped"),
    [
        (request("CREATED"), False, False, False, False),
        (request("CREATED", "ANALYSE"), True, False, False, False),
        (request("CREATED", "START"), True, True, False, False),
        (request("ANALYSING", "ANALYSE"), True, False, True, False),
        (request("ANALYSING", "START"), True, True, True, False),
        (request("ANALYSIS_DONE", "ANALYSE"), True, False, True, False),
        (request("ANALYSIS_DONE", "START"), True, True, True, False),
        (request("PROCESSING", "START"), True, True, True, False),
        (request("PROCESSING", "STOP"), True, True, True, True),
        (request("STOPPED", "STOP"), True, False, False, True),
        (request("STOPPED", "START", stoppedStatusReason="USER_ACTION"), True, True, False, False),
        (request("STOPPED", "START", stoppedStatusReason="OUT_OF_PU"), True, False, False, True),
        (request("DONE", "START"), True, True, False, True),
        (request("DONE", "ANALYSE"), True, True, False, True),
        (request("FAILED", "START"), True, True, False, True),
        (request("WHAT", "NONE"), False, False, False, False),
    ],
)
def test_what_has_been_asked_for_is_not_asked_again(
    found: BatchRequest, analysed: bool, started: bool, stoppable: bool, stopped: bool
) -> None:
    assert judge.analysed(found) is analysed
    assert judge.started(found) is started
    assert judge.stoppable(found) is stoppable
    assert judge.stopped(found) is stopped


def test_a_request_that_nobody_moves_is_called_idle() -> None:
    assert judge.idle(request("CREATED")) == "created, but neither analysed nor started"
    assert judge.idle(request("ANALYSIS_DONE", "ANALYSE")) == "analysed, but not started"
    for moving in (request("CREATED", "START"), request("ANALYSIS_DONE", "START"), request("PROCESSING")):
        assert judge.idle(moving) is None
