"""The whole-life operator: every end it can come to, and everything it must not pay for twice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow_runner import StateStore, run
from support import FOUR_TILES, client_for, created, starts, wait_for
from support import definition as small
from whole_life import Task, accepted, impatience, tallies

from airflow_provider_sentinelhub.client.errors import GarbledReplyError, LostReplyError, ServerError
from airflow_provider_sentinelhub.operators.batch import SentinelHubBatchOperator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_driver import Sandbox

MODES = (False, True)


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    with impatience():
        yield


def a_task(run_id: str | None = None, map_index: int = -1) -> Task:
    return Task(StateStore(), run_id, map_index)


@pytest.mark.parametrize("deferrable", MODES)
def test_from_nothing_to_delivered_tiles(sandbox: Sandbox, deferrable: bool) -> None:
    sandbox.steer(analysis={"seconds": 0.5}, processing={"seconds": 0.5})
    task = a_task()
    result = task.attempt(deferrable=deferrable, area=FOUR_TILES, description="mine")
    assert result["status"] == "DONE"
    assert result["tiles"] == 4
    assert result["cost_pu"] == 100
    assert result["delivery"] == f"s3://sandbox/whole/{result['request_id']}"
    assert task.instance.xcoms["request_id"] == result["request_id"]
    assert (accepted(sandbox, "creates"), accepted(sandbox, "starts")) == (1, 1)
    description = client_for(sandbox).get(result["request_id"]).description
    assert description.startswith("mine [airflow ")


@pytest.mark.parametrize("deferrable", MODES)
def test_a_second_attempt_takes_the_result(sandbox: Sandbox, deferrable: bool) -> None:
    task = a_task()
    first = task.attempt(deferrable=deferrable)
    for store in (task.store, StateStore()):  # whether or not the store is kept
        task.store = store
        assert task.attempt(deferrable=deferrable, description="another text") == first
    assert (accepted(sandbox, "creates"), accepted(sandbox, "starts")) == (1, 1)


def test_a_changed_definition_is_a_new_request(sandbox: Sandbox) -> None:
    task = a_task()
    first, second = task.attempt(), task.attempt(resolution=10)
    assert first["request_id"] != second["request_id"]
    assert task.attempt() == first


def test_never_reuse_asks_for_a_new_one_each_time(sandbox: Sandbox) -> None:
    task = a_task()
    ids = {task.attempt(reuse="never")["request_id"] for _ in range(3)}
    assert len(ids) == 3


def test_tasks_runs_and_map_indices_never_get_each_others_request(sandbox: Sandbox) -> None:
    ids = {
        a_task("run-a").attempt()["request_id"],
        a_task("run-b").attempt()["request_id"],
        a_task("run-a", map_index=0).attempt()["request_id"],
        a_task("run-a", map_index=1).attempt()["request_id"],
        a_task("run-a").attempt(sentinelhub_conn_id="sentinelhub_default", outputs=["NDVI"], area=FOUR_TILES)[
            "request_id"
        ],
    }
    assert len(ids) == 5


@pytest.mark.parametrize("deferrable", MODES)
def test_only_the_analysis(sandbox: Sandbox, deferrable: bool) -> None:
    task = a_task()
    result = task.attempt(deferrable=deferrable, analyse_only=True)
    assert (result["status"], result["tiles"]) == ("ANALYSIS_DONE", None)
    assert accepted(sandbox, "starts") == 0
    whole = task.attempt(deferrable=deferrable)
    assert whole["request_id"] == result["request_id"]
    assert whole["status"] == "DONE"


def test_start_and_leave(sandbox: Sandbox) -> None:
    sandbox.steer(processing={"seconds": 600})
    task = a_task()
    result = task.attempt(wait_for_completion=False)
    assert accepted(sandbox, "starts") == 1
    assert task.attempt(wait_for_completion=False)["request_id"] == result["request_id"]
    assert accepted(sandbox, "starts") == 1


@pytest.mark.parametrize("analysed", [False, True])
def test_an_existing_request_is_adopted(sandbox: Sandbox, analysed: bool) -> None:
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    if analysed:
        client.analyse(request_id)
        wait_for(client, request_id, "ANALYSIS_DONE")
    adopting = SentinelHubBatchOperator(
        task_id="adopt", request_id=request_id, aws_conn_id="aws_default", poll_interval=0.1, timeout=60
    )
    result, _ = run(adopting)
    assert (result["request_id"], result["status"], result["tiles"]) == (request_id, "DONE", 1)
    assert starts(sandbox, request_id) == 1


# --- lost replies ---


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("drop", {"when": "after"}),
        ("server_error", {"status": 503}),
        ("drop", {"when": "before"}),
        ("garbage", {}),
    ],
)
@pytest.mark.parametrize("path", ["/process", "/process/*/analyse", "/process/*/start"])
def test_a_lost_reply_pays_once(sandbox: Sandbox, kind: str, rule: dict[str, Any], path: str) -> None:
    sandbox.fault(kind, method="POST", path=path, **rule)
    task = a_task()
    result = None
    for _ in range(3):
        try:
            result = task.attempt()
            break
        except (LostReplyError, ServerError, GarbledReplyError):
            continue  # what Airflow would retry
    assert result is not None
    assert result["status"] == "DONE"
    assert accepted(sandbox, "starts") == 1
    assert sum(one["pu"] for one in tallies(sandbox).values()) == 100


def test_a_create_that_was_never_done_is_made_after_a_while(sandbox: Sandbox) -> None:
    sandbox.fault("drop", method="POST", path="/process", when="before")
    task = a_task()
    began = time.monotonic()
    with pytest.raises(LostReplyError):
        task.attempt()
    assert time.monotonic() - began >= 1.0
    assert task.attempt()["status"] == "DONE"
    assert accepted(sandbox, "creates") == 1


def test_of_two_twins_every_attempt_pays_for_the_older(sandbox: Sandbox) -> None:
    """Two attempts at once, neither of which saw the other's request, leave twins behind."""
    task = a_task()
    first = task.attempt(analyse_only=True)["request_id"]
    client = client_for(sandbox)
    definition = dict(client.get(first).definition)
    twin = client.create({**small(sandbox).to_wire(), "description": definition["description"]}).id
    result = task.attempt()
    assert result["request_id"] == first
    assert starts(sandbox, first) == 1
    assert starts(sandbox, twin) == 0


# --- endings ---


@pytest.mark.parametrize("deferrable", MODES)
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("analysis_failure", "BatchFailedError"),
        ("processing_failure", "BatchFailedError"),
        ("out_of_pu", "BatchOutOfPuError"),
        ("unhealthy", "BatchUnhealthyError"),
        ("tile_failure", "IncompleteDeliveryError"),
        ("unknown_status", "UnknownStatusError"),
    ],
)
def test_every_bad_ending_fails_for_good(sandbox: Sandbox, deferrable: bool, kind: str, name: str) -> None:
    sandbox.steer(processing={"seconds": 0.5})
    sandbox.fault(kind, **({"times": None} if kind == "unknown_status" else {}))
    with pytest.raises(AirflowFailException, match=name):
        a_task().attempt(deferrable=deferrable)


def test_after_a_failed_request_the_next_attempt_makes_a_new_one(sandbox: Sandbox) -> None:
    sandbox.fault("analysis_failure")
    task = a_task()
    with pytest.raises(AirflowFailException, match="BatchFailedError"):
        task.attempt()
    assert task.attempt()["status"] == "DONE"
    assert accepted(sandbox, "creates") == 2


@pytest.mark.parametrize("deferrable", MODES)
def test_the_deadline_stops_the_request(sandbox: Sandbox, deferrable: bool) -> None:
    sandbox.steer(processing={"seconds": 600})
    task = a_task()
    with pytest.raises(AirflowFailException, match=r"BatchTimeoutError.*was stopped"):
        task.attempt(deferrable=deferrable, timeout=6)
    assert accepted(sandbox, "stops") == 1


def test_the_deadline_leaves_the_request_alone_if_told_so(sandbox: Sandbox) -> None:
    sandbox.steer(processing={"seconds": 600})
    with pytest.raises(AirflowFailException, match=r"BatchTimeoutError.*goes on"):
        a_task().attempt(timeout=6, cancel_on_kill=False)
    assert accepted(sandbox, "stops") == 0


@pytest.mark.parametrize("deferrable", MODES)
@pytest.mark.parametrize(("kind", "minutes"), [("stop", 30), ("out_of_pu", 60)])
def test_a_stopped_request_is_restarted_as_soon_as_the_service_allows(
    sandbox: Sandbox, deferrable: bool, kind: str, minutes: int
) -> None:
    client = client_for(sandbox)
    task = a_task()
    if kind == "stop":
        sandbox.steer(processing={"seconds": 600})
        request_id = task.attempt(wait_for_completion=False)["request_id"]
        sandbox.wait(lambda: client.get(request_id).status == "PROCESSING")
        client.stop(request_id)
        sandbox.wait(lambda: client.get(request_id).status == "STOPPED")
    else:
        sandbox.fault("out_of_pu")
        with pytest.raises(AirflowFailException, match="BatchOutOfPuError"):
            task.attempt()
        [request_id] = tallies(sandbox)
    with pytest.raises(AirflowFailException, match="BatchTimeoutError"):
        task.attempt(deferrable=deferrable, timeout=1)
    assert starts(sandbox, request_id) == 1
    sandbox.steer(processing={"seconds": 0})
    sandbox.advance(minutes * 60 - 30)
    with pytest.raises(AirflowFailException, match="BatchTimeoutError"):
        task.attempt(deferrable=deferrable, timeout=1)
    sandbox.advance(31)
    result = task.attempt(deferrable=deferrable)
    assert (result["request_id"], result["status"]) == (request_id, "DONE")
    assert starts(sandbox, request_id) == 2
    assert accepted(sandbox, "creates") == 1


def test_a_stop_while_it_waits_is_somebodys_will(sandbox: Sandbox) -> None:
    sandbox.steer(processing={"polls": 30})
    sandbox.fault("unhealthy")
    with pytest.raises(AirflowFailException, match="BatchUnhealthyError"):
        a_task().attempt()
