"""What runs in worker processes: checking the evalscript, finding the tiles, rendering one.

A worker holds the interpreter lock while JavaScript runs and may die of what it is given; here neither stops
the API.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import shapely

from airflow_provider_sentinelhub.sandbox.features import feature_tiles
from airflow_provider_sentinelhub.sandbox.geopackage import GeoPackageError
from airflow_provider_sentinelhub.sandbox.grids import GRIDS, tiles
from airflow_provider_sentinelhub.sandbox.records import TileRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from airflow_provider_sentinelhub.sandbox.zarr import ZarrOutput

Job = TypeVar("Job")
Result = TypeVar("Result")

# What the sandbox takes on; the service's own limits are not published.
MAX_TILES = 25_000
MAX_TILE_PIXELS = 30_000_000
_RECYCLE_BYTES = 300 * 2**20  # a worker that ever grew beyond this is replaced
_ATTEMPTS = 3


class AnalysisError(Exception):
    """The request cannot be processed; the message is for its ``error``."""


@dataclass(frozen=True)
class GridJob:
    """Where an analysis finds the tiles of a tiling grid."""

    grid: int
    resolution: float
    buffer: tuple[int, int]
    area_wkb: bytes


@dataclass(frozen=True)
class FeaturesJob:
    """Where an analysis finds the features of a GeoPackage: a file, and sizes for those that have none."""

    path: Path
    defaults: dict[str, float]
    area_wkb: bytes | None


@dataclass(frozen=True)
class AnalysisJob:
    """What an analysis looks at."""

    evalscript: str
    collections: tuple[str, ...]
    ids: tuple[str | None, ...]
    responses: tuple[tuple[str, str], ...]
    cog: bool
    source: GridJob | FeaturesJob
    zarr: ZarrOutput | None = None


@dataclass(frozen=True)
class Found:
    """The tiles of a request; `outlines` are WKB by ordinal, of those that do not fill their bounds."""

    tiles: list[TileRow]
    outlines: dict[int, bytes]


def analyse(job: AnalysisJob) -> Found:
    """Check the evalscript and return the tiles to process; raises `AnalysisError`."""
    from airflow_provider_sentinelhub.sandbox.evalscript import Evalscript, EvalscriptError

    try:
        script = Evalscript(job.evalscript)
        script.check(job.collections, job.responses, ids=job.ids)
    except EvalscriptError as error:
        raise AnalysisError(str(error)) from error
    if job.cog and any(output.sample_type == "INT8" for output in script.setup.outputs):
        raise AnalysisError("COG output does not support sampleType INT8.")
    for array in job.zarr.arrays if job.zarr else ():
        fault = array.sample_type_fault(script.setup.output(array.name).sample_type)
        if fault:
            raise AnalysisError(fault)
    if isinstance(job.source, FeaturesJob):
        return _features(job.source)
    return Found(_grid_tiles(job.source), {})


def _features(job: FeaturesJob) -> Found:
    area = None if job.area_wkb is None else shapely.from_wkb(job.area_wkb)
    found = Found([], {})
    try:
        for tile, outline in feature_tiles(job.path, job.defaults, area, MAX_TILES):
            found.tiles.append(tile)
            if outline is not None:
                found.outlines[tile.ordinal] = outline
    except GeoPackageError as error:
        raise AnalysisError(str(error)) from error
    if not found.tiles:
        raise AnalysisError("No feature of the GeoPackage is to be processed.")
    return found


def _grid_tiles(job: GridJob) -> list[TileRow]:
    grid, area = GRIDS[job.grid], shapely.from_wkb(job.area_wkb)
    degrees = grid.tile_width if grid.unit == "DEGREE" else grid.tile_width / 111_320
    if area.area / degrees**2 > MAX_TILES:
        raise AnalysisError(f"The area needs more than {MAX_TILES} tiles.")
    found = tiles(grid, area)
    if not found:
        raise AnalysisError("No tile of the tiling grid intersects the area of interest.")
    rows: list[TileRow] = []
    for ordinal, tile in enumerate(found):
        min_x, min_y, max_x, max_y = tile.bounds
        pad_x, pad_y = (pixels * job.resolution for pixels in job.buffer)
        rows.append(
            TileRow(
                ordinal=ordinal,
                id=tile.id,
                name=tile.name,
                epsg=tile.epsg,
                bounds=(min_x - pad_x, min_y - pad_y, max_x + pad_x, max_y + pad_y),
                width=round((max_x - min_x) / job.resolution) + 2 * job.buffer[0],
                height=round((max_y - min_y) / job.resolution) + 2 * job.buffer[1],
            )
        )
        if rows[-1].width * rows[-1].height > MAX_TILE_PIXELS:
            raise AnalysisError(f"The sandbox renders tiles of up to {MAX_TILE_PIXELS} pixels.")
    return rows


class Workers:
    """A pool of worker processes that come and go without the callers noticing."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._slots = asyncio.Semaphore(count)
        # A fork of a small process that has the libraries loaded: quick to start, and free of this one's
        # threads.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["airflow_provider_sentinelhub.sandbox.render"])
        self._pool = self._new_pool()

    async def warm_up(self) -> None:
        """Start the processes, so that the first request need not wait for them."""
        await asyncio.gather(*(self.run(_nothing, index) for index in range(self.count)))

    async def run(self, function: Callable[[Job], Result], job: Job) -> Result:
        """Run a function in a worker. A worker that dies is replaced, and the job tried again."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._run(function, job)
            except BrokenProcessPool:
                continue
        return await self._run(function, job)

    async def _run(self, function: Callable[[Job], Result], job: Job) -> Result:
        async with self._slots:
            pool = self._pool
            try:
                measured = await asyncio.get_running_loop().run_in_executor(pool, _measured, function, job)
            except BrokenProcessPool:
                self._replace(pool)
                raise
            if measured.peak_bytes > _RECYCLE_BYTES:
                self._replace(pool)
            return measured.result

    def close(self) -> None:
        """End all workers, finished or not."""
        processes = list((self._pool._processes or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.kill()

    def _replace(self, pool: ProcessPoolExecutor) -> None:
        if pool is self._pool:
            self._pool = self._new_pool()
            pool.shutdown(wait=False)

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self.count, mp_context=self._context, initializer=_initialise)


@dataclass(frozen=True)
class _Measured(Generic[Result]):
    result: Result
    peak_bytes: int


def _measured(function: Callable[[Job], Result], job: Job) -> _Measured[Result]:
    result = function(job)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _Measured(result, peak * (1 if sys.platform == "darwin" else 1024))


def _nothing(index: int) -> int:
    return index


def _initialise() -> None:
    """End with the sandbox, also when it is killed and cannot say good-bye."""
    parent = multiprocessing.parent_process()
    sentinels: Sequence[int] = [parent.sentinel] if parent else []

    def watch() -> None:
        from multiprocessing.connection import wait

        wait(sentinels)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
