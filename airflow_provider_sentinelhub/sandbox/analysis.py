"""The analysis of a request: evalscript, tiles, what is already there, the feature manifest."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox import lifecycle
from airflow_provider_sentinelhub.sandbox.definition import Definition
from airflow_provider_sentinelhub.sandbox.delivery import Bucket, BucketRefusedError, BucketUnavailableError
from airflow_provider_sentinelhub.sandbox.reports import feature_manifest
from airflow_provider_sentinelhub.sandbox.services import (
    Services,
    delivery_error,
    download,
    reading_error,
    upload,
)
from airflow_provider_sentinelhub.sandbox.work import (
    AnalysisError,
    AnalysisJob,
    FeaturesJob,
    Found,
    GridJob,
    analyse,
)
from airflow_provider_sentinelhub.sandbox.zarr import in_the_way

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.sandbox.records import Task, TileRow

_MAX_GEOPACKAGE_BYTES = 256 << 20  # what the sandbox takes on; the service's own limit is not published


async def analysis(services: Services, task: Task) -> tuple[str, dict[str, Any]]:
    """Analyse a request; return the status it ends in and what is to be stored with it. May be run again."""
    definition = Definition.read(task.body)
    fault = services.faults.on_request("analysis_failure", task.id)
    if fault:
        return lifecycle.FAILED, {"error": fault.rule["error"]}
    try:
        found = await _found(services, definition)
        bucket = await services.bucket(task.id, definition, phase="analysis")
        tiles = await asyncio.to_thread(_marked_existing, task.id, definition, bucket, found.tiles)
        manifest = await asyncio.to_thread(feature_manifest, task.id, definition, found)
        key = definition.destination.root_key(task.id, f"featureManifest-{task.id}.gpkg")
        await upload(bucket, key, manifest)
    except AnalysisError as error:
        return lifecycle.FAILED, {"error": str(error)}
    except (BucketRefusedError, BucketUnavailableError) as error:
        return lifecycle.FAILED, {"error": delivery_error(definition, error)}
    services.store.set_tiles(task.id, tiles, found.outlines)
    # With skipExisting and nothing left to do, the request is over at no cost (seen in the wild).
    all_exist = all(tile.status == "DONE" for tile in tiles)
    return lifecycle.DONE if all_exist else lifecycle.ANALYSIS_DONE, {}


async def _found(services: Services, definition: Definition) -> Found:
    """Return the tiles to process, in a worker; raises `AnalysisError`."""
    with tempfile.TemporaryDirectory() as folder:
        job = AnalysisJob(
            evalscript=definition.evalscript,
            collections=tuple(item["type"] for item in definition.data),
            ids=tuple(item.get("id") for item in definition.data),
            responses=tuple(definition.responses),
            cog=definition.cog,
            zarr=definition.zarr,
            source=await _source(services, definition, Path(folder, "features.gpkg")),
        )
        return await services.workers.run(analyse, job)


async def _source(services: Services, definition: Definition, path: Path) -> GridJob | FeaturesJob:
    """Return where the tiles are found, a GeoPackage having been brought to `path`."""
    area_wkb = None if definition.area is None else definition.area.wkb
    if definition.grid is not None and area_wkb is not None:
        return GridJob(definition.grid.id, definition.resolution, definition.buffer, area_wkb)
    features = definition.features
    assert features is not None  # noqa: S101 - a request has one or the other
    place = features.place
    try:
        bucket = await asyncio.to_thread(services.clients.bucket, features.credentials, place.bucket)
        await download(bucket, place.template, path, most_bytes=_MAX_GEOPACKAGE_BYTES)
    except (BucketRefusedError, BucketUnavailableError) as error:
        raise AnalysisError(reading_error(place.uri(place.template), error)) from error
    return FeaturesJob(path, features.defaults, area_wkb)


def _marked_existing(
    task_id: str, definition: Definition, bucket: Bucket, tiles: list[TileRow]
) -> list[TileRow]:
    """Return the tiles, those to be skipped already DONE; raises `AnalysisError` where existing files forbid
    to go on.

    The rules are documented; that they are applied at analysis is assumed.
    """
    prefix = definition.destination.common_prefix(task_id)
    existing = bucket.keys(prefix)
    if definition.zarr:
        found_key = in_the_way(existing, prefix)
        if found_key:
            uri = definition.destination.uri
            raise AnalysisError(f"{uri(prefix)} is not free for a Zarr group: there is {uri(found_key)}.")
        return tiles
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
