"""What of all that ends tasks stops a request; ``make trials`` does it to a running Airflow."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, GetTaskStates, TaskStatesResult
from airflow_runner import TaskInstance
from support import client_for, created
from whole_life import operator

from airflow_provider_sentinelhub.triggers import batch
from airflow_provider_sentinelhub.triggers.batch import SentinelHubBatchTrigger
from airflow_provider_sentinelhub.triggers.kills import killed_for_good

if TYPE_CHECKING:
    from sandbox_driver import Sandbox


class Supervisor:
    """Says in what state the task is; Airflow's own supervisor is there only in a real task."""

    def __init__(self, state: str | None) -> None:
        self.state = state

    def send(self, message: Any) -> Any:
        assert isinstance(message, GetTaskStates)
        assert (message.dag_id, message.task_ids, message.run_ids) == ("dag", ["task"], ["run"])
        states = {} if self.state == "deleted" else {"run": {"task": self.state}}
        return ErrorResponse() if self.state == "error" else TaskStatesResult(task_states=states)


# The state in which Airflow knows the task by the time it tells us, and whether that stops the request.
STATES = [
    ("failed", True),
    ("deleted", True),
    ("deferred", False),
    ("running", False),
    ("scheduled", False),
    ("queued", False),
    ("restarting", False),
    ("up_for_retry", False),
    ("success", False),
    (None, False),
    ("error", False),
]


@pytest.fixture
def at_work(sandbox: Sandbox) -> str:
    sandbox.steer(processing={"seconds": 600})
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    client.start(request_id)
    sandbox.wait(lambda: client.get(request_id).status == "PROCESSING")
    return request_id


def told(monkeypatch: pytest.MonkeyPatch, state: str | None) -> None:
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(state), raising=False)


def stops(sandbox: Sandbox, request_id: str) -> int:
    return int(sandbox.journal()["requests"][request_id]["stops"])


def trigger_for(request_id: str, **options: Any) -> SentinelHubBatchTrigger:
    trigger = SentinelHubBatchTrigger(
        request_id=request_id,
        target_status="DONE",
        sentinelhub_conn_id="sentinelhub_default",
        poll_interval=0.2,
        **{"deadline": time.time() + 60, "cancel_on_kill": True, **options},
    )
    trigger._task_instance = TaskInstance()
    return trigger


@pytest.mark.parametrize(("state", "stopped"), STATES)
def test_only_a_failed_or_deleted_task_was_killed_for_good(
    monkeypatch: pytest.MonkeyPatch, state: str | None, stopped: bool
) -> None:
    told(monkeypatch, state)
    assert killed_for_good(TaskInstance()) is stopped


def test_nobody_is_killed_in_dag_test() -> None:
    assert not killed_for_good(None)


@pytest.mark.parametrize(("state", "stopped"), [("failed", 1), ("deferred", 0), (None, 0)])
def test_a_trigger_that_is_killed(
    sandbox: Sandbox, at_work: str, monkeypatch: pytest.MonkeyPatch, state: str | None, stopped: int
) -> None:
    told(monkeypatch, state)
    asyncio.run(trigger_for(at_work).on_kill())
    assert stops(sandbox, at_work) == stopped


def test_a_stop_outlives_that_airflow_cancels_it(
    sandbox: Sandbox, at_work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow cancels a trigger again at its next look, in the middle of its on_kill."""
    told(monkeypatch, "failed")

    async def main() -> None:
        killing = asyncio.ensure_future(trigger_for(at_work).on_kill())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        killing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await killing
        assert batch._stopping
        await asyncio.gather(*batch._stopping)

    asyncio.run(main())
    assert stops(sandbox, at_work) == 1


def test_a_trigger_that_gives_up_its_wait_lets_the_cancellation_through(
    sandbox: Sandbox, at_work: str
) -> None:
    """Airflow tells a trigger that it was killed only if its run ends with the cancellation."""

    async def main() -> None:
        trigger = trigger_for(at_work)
        running = asyncio.ensure_future(anext(trigger.run()))
        await asyncio.sleep(1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert stops(sandbox, at_work) == 0


def test_a_trigger_that_has_fired_stops_nothing(
    sandbox: Sandbox, at_work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch, "failed")

    async def main() -> None:
        trigger = trigger_for(at_work, deadline=time.time())
        async for _ in trigger.run():
            await trigger.on_kill()

    asyncio.run(main())
    assert stops(sandbox, at_work) == 0


def test_a_trigger_that_was_told_not_to_stops_nothing(
    sandbox: Sandbox, at_work: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(monkeypatch, "failed")
    asyncio.run(trigger_for(at_work, cancel_on_kill=False).on_kill())
    assert stops(sandbox, at_work) == 0


@pytest.mark.parametrize(
    ("state", "options", "stopped"),
    [("failed", {}, 1), ("running", {}, 0), ("restarting", {}, 0), ("failed", {"cancel_on_kill": False}, 0)],
)
def test_a_worker_that_is_killed(
    sandbox: Sandbox,
    at_work: str,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    options: dict[str, Any],
    stopped: int,
) -> None:
    told(monkeypatch, state)
    killed = operator(**options)
    killed.on_kill()  # before anything is known of a request
    killed._acting = (TaskInstance(), at_work)
    killed.on_kill()
    assert stops(sandbox, at_work) == stopped
