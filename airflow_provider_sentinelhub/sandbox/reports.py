"""The files about a request that lie beside its tiles."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from shapely import from_wkb
from shapely.geometry import box

from airflow_provider_sentinelhub.sandbox.manifest import (
    Feature,
    FeatureState,
    write_execution_database,
    write_feature_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_sentinelhub.sandbox.definition import Definition
    from airflow_provider_sentinelhub.sandbox.work import Found


def feature_manifest(task_id: str, definition: Definition, found: Found) -> bytes:
    """Return ``featureManifest-<id>.gpkg``: a row for each output of each tile, without buffers."""
    return _written(lambda path: write_feature_manifest(path, _features(task_id, definition, found)))


def _features(task_id: str, definition: Definition, found: Found) -> Iterator[Feature]:
    pixels_x, pixels_y = definition.buffer
    pad_x, pad_y = pixels_x * definition.resolution, pixels_y * definition.resolution
    for tile in found.tiles:
        west, south, east, north = tile.bounds
        outline = found.outlines.get(tile.ordinal)
        inside = box(west + pad_x, south + pad_y, east - pad_x, north - pad_y)
        for identifier, key in definition.paths(task_id, tile.name, tile.id).items():
            yield Feature(
                output_id=identifier,
                identifier=tile.name,
                path=definition.destination.uri(key),
                width=tile.width - 2 * pixels_x,
                height=tile.height - 2 * pixels_y,
                epsg=tile.epsg,
                geometry=inside if outline is None else from_wkb(outline),
            )


def execution_database(states: list[FeatureState]) -> bytes:
    """Return ``execution-<id>.sqlite``: the state of each tile."""
    return _written(lambda path: write_execution_database(path, states))


def _written(write: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        write(path)
        return path.read_bytes()
