"""Wait for a batch request without holding a worker."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sentinelhub.client.actions import stop_if_running
from airflow_provider_sentinelhub.client.errors import BatchError
from airflow_provider_sentinelhub.client.judge import reached, spent_more_than, target
from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook
from airflow_provider_sentinelhub.triggers.kills import killed_for_good
from airflow_provider_sentinelhub.triggers.polling import poll

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_sentinelhub.client.batch import BatchClient

# An event loop forgets a task that nobody else refers to.
_stopping: set[asyncio.Task[None]] = set()


class SentinelHubBatchTrigger(BaseTrigger):
    """Fires when a batch request has reached a status, or cannot reach it any more, or the deadline passes.

    The event says why the wait is over, not how the request ended: whoever resumes looks for itself, so that
    what is believed is always the service's own and latest word.

    :param request_id: the batch request.
    :param target_status: ``ANALYSIS_DONE`` or ``DONE``; a later good status counts as reached.
    :param sentinelhub_conn_id: the Airflow connection.
    :param poll_interval: seconds between two looks.
    :param deadline: seconds since the epoch; absolute, so that it survives a restart of the triggerer.
    :param not_before: seconds since the epoch; until then there is nothing to look at.
    :param restart: handed back in the event: the request was stopped and is to be started again.
    :param cancel_on_kill: stop the request when a person fails the waiting task or deletes its run.
    :param stop_over_pu: fire as well when the request has spent more processing units than this.
    """

    def __init__(
        self,
        *,
        request_id: str,
        target_status: str,
        sentinelhub_conn_id: str,
        poll_interval: float,
        deadline: float,
        not_before: float = 0.0,
        restart: bool = False,
        cancel_on_kill: bool = False,
        stop_over_pu: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.request_id = request_id
        self.target_status = target_status
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.not_before = not_before
        self.restart = restart
        self.cancel_on_kill = cancel_on_kill
        self.stop_over_pu = stop_over_pu
        self._fired = False

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the constructor's arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "request_id": self.request_id,
                "target_status": self.target_status,
                "sentinelhub_conn_id": self.sentinelhub_conn_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "not_before": self.not_before,
                "restart": self.restart,
                "cancel_on_kill": self.cancel_on_kill,
                "stop_over_pu": self.stop_over_pu,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until there is something to tell, then fire once."""
        event = await self.wait()
        # Airflow may kill a trigger that has fired already: there must be nothing left to stop by then.
        self._fired = True
        yield TriggerEvent(event)

    async def wait(self) -> dict[str, Any]:
        """Wait; returns what the event says."""
        pause = min(self.not_before, self.deadline) - time.time()
        if pause > 0:
            await asyncio.sleep(pause)
        why = "time" if self.restart else await self._poll()
        return {
            "request_id": self.request_id,
            "why": why,
            "deadline": self.deadline,
            "restart": self.restart,
        }

    async def _poll(self) -> str:
        goal, seen = target(self.target_status), ""

        async def look(client: BatchClient) -> str | None:
            nonlocal seen
            request = await asyncio.to_thread(client.get, self.request_id)
            if request.progress != seen:
                seen = request.progress
                self.log.info("Batch request %s: %s", self.request_id, seen)
            try:
                if reached(request, goal):
                    return "reached"
                return "over the limit" if spent_more_than(request, self.stop_over_pu) else None
            except BatchError:
                return "ended"

        return await poll(look, self.sentinelhub_conn_id, self.poll_interval, self.deadline, self.log)

    async def on_kill(self) -> None:
        """Stop the request if a person has killed the task for good.

        Airflow calls this also when the task was cleared, when another triggerer has taken the trigger over,
        and for a trigger that has just fired: then the request goes on.
        """
        if self._fired or not self.cancel_on_kill:
            return
        # Airflow cancels this, too, at its next look a second later: what takes longer outlives it.
        stopping = asyncio.create_task(self._stop_if_killed_for_good())
        _stopping.add(stopping)
        stopping.add_done_callback(_stopping.discard)
        await asyncio.shield(stopping)

    async def _stop_if_killed_for_good(self) -> None:
        if not await asyncio.to_thread(killed_for_good, self.task_instance):
            return
        # Not the shared client, which makes each call once: this one has to get through.
        client = await SentinelHubHook(self.sentinelhub_conn_id).aget_conn()
        if await asyncio.to_thread(stop_if_running, client, self.request_id):
            self.log.info("The task was killed: batch request %s is stopped", self.request_id)
