"""The processing of a request: its pending tiles rendered, delivered and charged, until done or stopped."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox import lifecycle, pricing
from airflow_provider_sentinelhub.sandbox.definition import Definition
from airflow_provider_sentinelhub.sandbox.delivery import Bucket, BucketRefusedError, BucketUnavailableError
from airflow_provider_sentinelhub.sandbox.evalscript import EvalscriptError
from airflow_provider_sentinelhub.sandbox.faults import names_tile
from airflow_provider_sentinelhub.sandbox.placing import Placing
from airflow_provider_sentinelhub.sandbox.reports import execution_database
from airflow_provider_sentinelhub.sandbox.services import Services, delivery_error, upload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_sentinelhub.sandbox.records import Task, TileRow
    from airflow_provider_sentinelhub.sandbox.render import RenderedTile, TileJob

NO_DATA = "No data"  # the documented text for a tile without data; it is DONE all the same
_MINIMUM_PU = lifecycle.MINIMUM_BALANCE_PU
_UNHEALTHY_FAILURES = 50  # tiles failed in a row; the service's own rule is not published

# A batch of tiles that go to a worker together.
_BATCH_TILES = 32
_BATCH_PIXELS = 65_536

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
        tiles = services.store.tiles(task.id)
        self._placing = Placing(task, self._definition, tiles)
        self._pending = deque(tile for tile in tiles if tile.status == "PENDING")
        self._started: set[asyncio.Task[None]] = set()  # batches of tiles
        self._in_flight = 0  # tiles of them
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
            # Also when processing goes on after a stop (assumed).
            files = await asyncio.to_thread(self._placing.group_files, services.clock.now())
            for key, content in files.items():
                await upload(self._bucket, key, content)
            outcome = await self._run_tiles()
            if outcome is None:
                return
            await self._report()
        except (BucketRefusedError, BucketUnavailableError) as error:
            outcome = lifecycle.FAILED, {"error": delivery_error(self._definition, error)}
        finally:
            for batch in self._started:
                batch.cancel()
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
            begun = task.tiles_done - task.mark_tiles + self._in_flight
            elapsed = services.clock.now() - task.mark_time
            allowed = pace.allowed(elapsed, task.polls - task.mark_polls, total)
            if not self._pending and not self._started and allowed >= total:
                return lifecycle.DONE, {}
            if self._pending and begun < allowed and len(self._started) < services.workers.count:
                self._start(task, self._next_batch(allowed - begun))
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
        begun = task.tiles_done + self._in_flight
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

    def _next_batch(self, most: int) -> list[TileRow]:
        """Take the next tile, or as many small ones as are worth one way to a worker."""
        # What stops a request after a number of tiles has to see them one by one.
        most = 1 if self._services.faults.may_stop(self._id) else min(most, _BATCH_TILES)
        batch = [self._pending.popleft()]
        pixels = batch[0].width * batch[0].height
        while self._pending and len(batch) < most:
            pixels += self._pending[0].width * self._pending[0].height
            if pixels > _BATCH_PIXELS:
                break
            batch.append(self._pending.popleft())
        return batch

    def _start(self, task: Task, batch: list[TileRow]) -> None:
        started = asyncio.create_task(self._process(task, batch))
        self._started.add(started)
        self._in_flight += len(batch)
        started.add_done_callback(self._ended)

    def _ended(self, batch: asyncio.Task[None]) -> None:
        self._started.discard(batch)
        self._broken = self._broken or (None if batch.cancelled() else batch.exception())
        self._wake(self._id)

    async def _process(self, task: Task, batch: list[TileRow]) -> None:
        """Bring tiles to their end; those that the bucket refuses stay pending."""
        tiles = [tile for tile in batch if not self._met_by_fault(task, tile)]
        if tiles:
            await self._render(task, tiles)
        period = self._services.steering["execution_upload_seconds"]
        if self._refused is None and self._services.clock.now() >= self._reported + period:
            try:
                await self._report()
            except BucketRefusedError as error:
                self._refused = error
            except BucketUnavailableError:
                _log.warning("The execution database of request %s could not be written", self._id)

    def _met_by_fault(self, task: Task, tile: TileRow) -> bool:
        """Finish a tile that a fault strikes."""
        faults = self._services.faults
        failure = faults.on_request("tile_failure", self._id)
        no_data = faults.on_request("tile_no_data", self._id)
        if failure and names_tile(failure, tile.ordinal, tile.name):
            self._finish(task, tile, error=failure.rule["error"])
        elif no_data and names_tile(no_data, tile.ordinal, tile.name):
            self._finish(task, tile, done=True, error=NO_DATA)
        else:
            return False
        return True

    async def _render(self, task: Task, tiles: list[TileRow]) -> None:
        from airflow_provider_sentinelhub.sandbox.render import render_all

        try:
            rendered = await self._services.workers.run(render_all, [self._job(tile) for tile in tiles])
        except BrokenProcessPool:
            if len(tiles) > 1:  # one of them is deadly, which is not the fault of the others
                for tile in tiles:
                    await self._render(task, [tile])
                return
            _log.warning("Workers died of tile %s of request %s", tiles[0].name, self._id)
            self._finish(task, tiles[0], error="The process that rendered the tile died.")
            return
        await asyncio.gather(*map(partial(self._deliver, task), tiles, rendered))

    async def _deliver(self, task: Task, tile: TileRow, rendered: RenderedTile | EvalscriptError) -> None:
        if isinstance(rendered, EvalscriptError):
            self._finish(task, tile, error=str(rendered))
        elif rendered.no_data:
            self._finish(task, tile, done=True, error=NO_DATA)
        else:
            try:
                for name, key in self._placing.keys(tile, rendered.files).items():
                    await upload(self._bucket, key, rendered.files[name])
            except BucketUnavailableError as error:
                self._finish(task, tile, error=f"Delivery failed: {error}")
            except BucketRefusedError as error:
                self._refused = error
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
            # Tiles of a grid have none: one that the area covers in part is processed in its entirety
            # (documented).
            area_wkb=self._services.store.outline(self._id, tile.ordinal),
            cog=definition.cog,
            cog_parameters=definition.cog_parameters,
            zarr=self._placing.in_group(tile),
        )

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
        self._in_flight -= 1
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
        states = self._services.store.states(self._id)
        content = await asyncio.to_thread(execution_database, states)
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
