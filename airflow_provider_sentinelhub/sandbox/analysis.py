"""The analysis of a request: evalscript, tiles, what is already there, the feature manifest."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox import lifecycle
from airflow_provider_sentinelhub.sandbox.definition import Definition
from airflow_provider_sentinelhub.sandbox.delivery import Bucket, BucketRefusedError, BucketUnavailableError
from airflow_provider_sentinelhub.sandbox.reports import feature_manifest
from airflow_provider_sentinelhub.sandbox.services import Services, delivery_error, upload
from airflow_provider_sentinelhub.sandbox.work import AnalysisError, AnalysisJob, analyse

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.sandbox.records import Task, TileRow


async def analysis(services: Services, task: Task) -> tuple[str, dict[str, Any]]:
    """Analyse a request; return the status it ends in and what is to be stored with it. May be run again."""
    definition = Definition.read(task.body)
    fault = services.faults.on_request("analysis_failure", task.id)
    if fault:
        return lifecycle.FAILED, {"error": fault.rule["error"]}
    job = AnalysisJob(
        evalscript=definition.evalscript,
        collections=tuple(item["type"] for item in definition.data),
        ids=tuple(item.get("id") for item in definition.data),
        responses=tuple(definition.responses),
        cog=definition.cog,
        grid=definition.grid.id,
        resolution=definition.resolution,
        buffer=definition.buffer,
        area_wkb=definition.area.wkb,
    )
    try:
        tiles = await services.workers.run(analyse, job)
        bucket = await services.bucket(task.id, definition, phase="analysis")
        tiles = await asyncio.to_thread(_marked_existing, task.id, definition, bucket, tiles)
        manifest = await asyncio.to_thread(feature_manifest, task.id, definition, tiles)
        key = definition.destination.root_key(task.id, f"featureManifest-{task.id}.gpkg")
        await upload(bucket, key, manifest)
    except AnalysisError as error:
        return lifecycle.FAILED, {"error": str(error)}
    except (BucketRefusedError, BucketUnavailableError) as error:
        return lifecycle.FAILED, {"error": delivery_error(definition, error)}
    services.store.set_tiles(task.id, tiles)
    # With skipExisting and nothing left to do, the request is over at no cost (seen in the wild).
    all_exist = all(tile.status == "DONE" for tile in tiles)
    return lifecycle.DONE if all_exist else lifecycle.ANALYSIS_DONE, {}


def _marked_existing(
    task_id: str, definition: Definition, bucket: Bucket, tiles: list[TileRow]
) -> list[TileRow]:
    """Return the tiles, those to be skipped already DONE; raises `AnalysisError` where existing files forbid
    to go on.

    The rules are documented; that they are applied at analysis is assumed.
    """
    existing = bucket.keys(definition.destination.common_prefix(task_id))
    marked = []
    for tile in tiles:
        paths = definition.paths(task_id, tile.name, tile.id)
        found = sum(key in existing for key in paths.values())
        if definition.skip_existing and found == len(paths):
            marked.append(replace(tile, status="DONE", delivered=True))
        elif found and not definition.overwrite:
            raise AnalysisError(
                f"Output of tile {tile.name} already exists in {definition.destination.uri('')}."
            )
        else:
            marked.append(tile)
    return marked
