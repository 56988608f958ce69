"""Moves requests on: one coroutine per request that has work to do, everything it knows in the store.

Each step reads the request anew, does one thing and writes down what came of it. So a killed sandbox goes on
where it was: an analysis is made again, a tile is rendered again unless it was finished and charged.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.sandbox import lifecycle
from airflow_provider_sentinelhub.sandbox.analysis import analysis
from airflow_provider_sentinelhub.sandbox.processing import Processing

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.sandbox.records import Task
    from airflow_provider_sentinelhub.sandbox.services import Services

_log = logging.getLogger(__name__)


class Engine:
    """Analyses and processes the requests of the store."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._events: dict[str, asyncio.Event] = {}
        self._drivers: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    def start(self) -> None:
        """Take up all requests that are not finished."""
        for task_id in self._services.store.unfinished():
            self.wake(task_id)

    async def stop(self) -> None:
        """Stop where we are; `start` goes on from there."""
        self._stopping = True
        drivers = list(self._drivers.values())
        for driver in drivers:
            driver.cancel()
        await asyncio.gather(*drivers, return_exceptions=True)

    def wake(self, task_id: str) -> None:
        """Look at a request now: something about it has changed."""
        if task_id in self._drivers:
            self._events[task_id].set()
        elif not self._stopping and self._with_work(task_id):
            self._events[task_id] = asyncio.Event()
            self._drivers[task_id] = asyncio.create_task(self._drive(task_id))

    def wake_all(self) -> None:
        """Look at all requests at work: the clock, the steering or the faults have changed."""
        for event in self._events.values():
            event.set()

    def polled(self, task_id: str) -> None:
        """Look at a request if polls bring it forward."""
        if any(self._services.steering.pace(phase).polls for phase in ("pickup", "analysis", "processing")):
            self.wake(task_id)

    def _with_work(self, task_id: str) -> Task | None:
        task = self._services.store.task(task_id)
        if task and lifecycle.has_work(task.status, task.user_action, picked_up=task.picked_up):
            return task
        return None

    async def _drive(self, task_id: str) -> None:
        try:
            while task := self._with_work(task_id):
                await self._step(task)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not leave the request hanging
            _log.exception("Request %s failed inside the sandbox", task_id)
            message = f"Internal error: {type(error).__name__}"
            self._services.set_status(task_id, lifecycle.FAILED, error=message)
        finally:
            del self._drivers[task_id], self._events[task_id]

    async def _step(self, task: Task) -> None:
        services = self._services
        if task.status == lifecycle.ANALYSING:
            await self._analyse(task)
        elif task.status == lifecycle.PROCESSING:
            await Processing(services, task, wait=self._wait, wake=self.wake).run()
        elif not services.has_observed(task):
            await self._wait(task.id, services.pickup_due(task))
        elif task.status == lifecycle.CREATED:
            self._begin(task, lifecycle.ANALYSING)
        elif task.status == lifecycle.STOPPED:
            services.set_status(task.id, lifecycle.ANALYSIS_DONE, stopped_reason=None, stopped_at=None)
        elif task.user_action == lifecycle.STOP:
            services.set_status(
                task.id,
                lifecycle.STOPPED,
                stopped_reason=lifecycle.USER_ACTION,
                stopped_at=services.clock.now(),
            )
        else:
            self._begin(task, lifecycle.PROCESSING)

    def _begin(self, task: Task, status: str) -> None:
        """Enter a phase, and mark where its pace is counted from."""
        self._services.set_status(
            task.id,
            status,
            mark_time=self._services.clock.now(),
            mark_polls=task.polls,
            mark_tiles=task.tiles_done,
        )

    async def _analyse(self, task: Task) -> None:
        """Analyse, then wait until the pace lets the outcome be known."""
        services = self._services
        status, columns = await analysis(services, task)
        while now := services.store.task(task.id):
            pace = services.steering.pace("analysis")
            elapsed = services.clock.now() - now.mark_time
            if pace.allowed(elapsed, now.polls - now.mark_polls, 1):
                # A stop that came meanwhile is carried out from ANALYSIS_DONE: the analysis completes
                # (documented).
                services.set_status(task.id, status, **columns)
                return
            await self._wait(task.id, pace.due(elapsed, 1, 1))

    async def _wait(self, task_id: str, seconds: float | None) -> None:
        """Sleep until the request is woken, or this many seconds."""
        event = self._events[task_id]
        event.clear()
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except asyncio.TimeoutError:
            return
