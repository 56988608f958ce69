"""The processing of a request: its pending tiles rendered, delivered and charged, until done or stopped."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox import lifecycle, pricing
from airflow_provider_sentinelhub.sandbox.definition import Definition
from airflow_provider_sentinelhub.sandbox.delivery import Bucket, BucketRefusedError, BucketUnavailableError
from airflow_provider_sentinelhub.sandbox.evalscript import EvalscriptError
from airflow_provider_sentinelhub.sandbox.faults import names_tile
from airflow_provider_sentinelhub.sandbox.reports import execution_database
from airflow_provider_sentinelhub.sandbox.services import Services, delivery_error, upload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_sentinelhub.sandbox.records import Task, TileRow
    from airflow_provider_sentinelhub.sandbox.render import RenderedTile, TileJob

NO_DATA = "No data"  # the documented text for a tile without data; it is DONE all the same
_MINIMUM_PU = lifecycle.MINIMUM_BALANCE_PU
_UNHEALTHY_FAILURES = 50  # tiles failed in a row; the service's own rule is not published

Outcome = tuple[str, dict[str, Any]]  # a status, and what is to be stored with it

_log = logging.getLogger(__name__)


class Processing:
    """One run of a request's pending tiles."""

    def __init__(
        self,
        services: Services,
        task: Task,
        *,
        wait: Callable[[str, float | None], Awaitable[None]],
        wake: Callable[[str], None],
    ) -> None:
        self._services, self._id, self._wait, self._wake = services, task.id, wait, wake
        self._definition = Definition.read(task.body)
        self._pending = deque(services.store.tiles(task.id, "PENDING"))
        self._started: set[asyncio.Task[None]] = set()
        self._failures_in_a_row = 0
        self._refused: BucketRefusedError | None = None
        self._broken: BaseException | None = None
        self._reported = 0.0

    async def run(self) -> None:
        """Process until the request has another status."""
        services = self._services
        try:
            self._bucket: Bucket = await services.bucket(self._id, self._definition, phase="processing")
            await self._report()
            outcome = await self._run_tiles()
            if outcome is None:
                return
            await self._report()
        except (BucketRefusedError, BucketUnavailableError) as error:
            outcome = lifecycle.FAILED, {"error": delivery_error(self._definition, error)}
        finally:
            for tile in self._started:
                tile.cancel()
        status, columns = outcome
        task = services.store.task(self._id)
        if task and status == lifecycle.DONE:
            services.store.charge(task, pricing.surcharge(task.cost_pu), services.clock.now())
        services.set_status(self._id, status, **columns)

    async def _run_tiles(self) -> Outcome | None:
        """Return how processing ends; ``None`` if the request was forgotten meanwhile."""
        services = self._services
        while True:
            task = services.store.task(self._id)
            if task is None:
                return None
            outcome = self._ending(task)
            if outcome:
                # Tiles in flight are finished and charged (documented).
                await asyncio.gather(*self._started)
                return outcome
            pace = services.steering.pace("processing")
            total = task.tiles_total - task.mark_tiles
            begun = task.tiles_done - task.mark_tiles + len(self._started)
            elapsed = services.clock.now() - task.mark_time
            allowed = pace.allowed(elapsed, task.polls - task.mark_polls, total)
            if not self._pending and not self._started and allowed >= total:
                return lifecycle.DONE, {}
            if self._pending and begun < allowed and len(self._started) < services.workers.count:
                self._start(task, self._pending.popleft())
                continue
            due = pace.due(elapsed, begun + 1, total) if self._pending and begun >= allowed else None
            await self._wait(self._id, self._soonest(due, services.pickup_due(task)))

    @staticmethod
    def _soonest(*delays: float | None) -> float | None:
        known = [delay for delay in delays if delay is not None]
        return min(known) + 0.001 if known else None  # never a hair too early

    def _ending(self, task: Task) -> Outcome | None:
        """Return why processing has to end now, if it has to."""
        services = self._services
        if self._broken is not None:
            raise self._broken  # a fault of the sandbox itself
        if self._refused is not None:
            return lifecycle.FAILED, {"error": delivery_error(self._definition, self._refused)}
        if task.user_action == lifecycle.STOP and services.has_observed(task):
            return self._stopped(lifecycle.USER_ACTION)
        begun = task.tiles_done + len(self._started)
        fault = services.faults.once("processing_failure", self._id, begun)
        if fault:
            return lifecycle.FAILED, {"error": fault.rule["error"]}
        stops = (
            ("out_of_pu", lifecycle.OUT_OF_PU, services.store.balance(task.project_id) < _MINIMUM_PU),
            ("unhealthy", lifecycle.UNHEALTHY, self._failures_in_a_row >= _UNHEALTHY_FAILURES),
        )
        for kind, reason, holds in stops:
            if self._pending and (holds or services.faults.once(kind, self._id, begun)):
                return self._stopped(reason)
        return None

    def _stopped(self, reason: str) -> Outcome:
        return lifecycle.STOPPED, {"stopped_reason": reason, "stopped_at": self._services.clock.now()}

    # -- tiles

    def _start(self, task: Task, tile: TileRow) -> None:
        started = asyncio.create_task(self._process(task, tile))
        self._started.add(started)
        started.add_done_callback(self._ended)

    def _ended(self, tile: asyncio.Task[None]) -> None:
        self._started.discard(tile)
        self._broken = self._broken or (None if tile.cancelled() else tile.exception())
        self._wake(self._id)

    async def _process(self, task: Task, tile: TileRow) -> None:
        """Bring one tile to its end; it stays pending if the bucket refuses it."""
        try:
            await self._bring_to_end(task, tile)
            period = self._services.steering["execution_upload_seconds"]
            if self._services.clock.now() >= self._reported + period:
                await self._report()
        except BucketRefusedError as error:
            self._refused = error
        except BucketUnavailableError:
            _log.warning("The execution database of request %s could not be written", self._id)

    async def _bring_to_end(self, task: Task, tile: TileRow) -> None:
        faults = self._services.faults
        failure = faults.on_request("tile_failure", self._id)
        no_data = faults.on_request("tile_no_data", self._id)
        if failure and names_tile(failure, tile.ordinal, tile.name):
            self._finish(task, tile, error=failure.rule["error"])
        elif no_data and names_tile(no_data, tile.ordinal, tile.name):
            self._finish(task, tile, done=True, error=NO_DATA)
        else:
            await self._render(task, tile)

    async def _render(self, task: Task, tile: TileRow) -> None:
        from airflow_provider_sentinelhub.sandbox.render import render

        try:
            rendered = await self._services.workers.run(render, self._job(tile))
            if not rendered.no_data:
                await self._deliver(tile, rendered)
        except EvalscriptError as error:
            self._finish(task, tile, error=str(error))
        except BucketUnavailableError as error:
            self._finish(task, tile, error=f"Delivery failed: {error}")
        except BrokenProcessPool:
            _log.warning("Workers died of tile %s of request %s", tile.name, self._id)
            self._finish(task, tile, error="The process that rendered the tile died.")
        else:
            if rendered.no_data:
                self._finish(task, tile, done=True, error=NO_DATA)
            else:
                self._finish(task, tile, done=True, delivered=True, pu=_price(rendered))

    def _job(self, tile: TileRow) -> TileJob:
        from airflow_provider_sentinelhub.sandbox.render import TileJob

        definition = self._definition
        return TileJob(
            evalscript=definition.evalscript,
            data=definition.data,
            responses=definition.responses,
            epsg=tile.epsg,
            bounds=tile.bounds,
            width=tile.width,
            height=tile.height,
            area_wkb=None,  # a tile that the area covers in part is processed in its entirety (documented)
            cog=definition.cog,
            cog_parameters=definition.cog_parameters,
        )

    async def _deliver(self, tile: TileRow, rendered: RenderedTile) -> None:
        for identifier, key in self._definition.paths(self._id, tile.name, tile.id).items():
            await upload(self._bucket, key, rendered.files[identifier])

    def _finish(
        self,
        task: Task,
        tile: TileRow,
        *,
        done: bool = False,
        error: str | None = None,
        delivered: bool = False,
        pu: float = 0.0,
    ) -> None:
        """Write down what became of a tile. Tiles without data and failed ones cost nothing (assumed)."""
        self._failures_in_a_row = 0 if done else self._failures_in_a_row + 1
        self._services.store.finish_tile(
            task,
            tile.ordinal,
            status="DONE" if done else "FATAL",
            error=error,
            delivered=delivered,
            pu=pu,
            now=self._services.clock.now(),
        )

    async def _report(self) -> None:
        """Upload the execution database; the first time before any tile is finished (assumed)."""
        self._reported = self._services.clock.now()
        tiles = self._services.store.tiles(self._id)
        content = await asyncio.to_thread(execution_database, tiles)
        key = self._definition.destination.root_key(self._id, f"execution-{self._id}.sqlite")
        await upload(self._bucket, key, content)


def _price(rendered: RenderedTile) -> float:
    return pricing.tile_units(
        pixels=rendered.pixels,
        bands=rendered.input_bands,
        float32=rendered.float32,
        samples=rendered.samples,
        collections=rendered.collections,
    )
