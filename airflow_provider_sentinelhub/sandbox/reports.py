"""The files about a request that lie beside its tiles."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from shapely.geometry import box

from airflow_provider_sentinelhub.sandbox.manifest import (
    Feature,
    FeatureState,
    write_execution_database,
    write_feature_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_sentinelhub.sandbox.definition import Definition
    from airflow_provider_sentinelhub.sandbox.records import TileRow


def feature_manifest(task_id: str, definition: Definition, tiles: list[TileRow]) -> bytes:
    """Return ``featureManifest-<id>.gpkg``: a row for each output of each tile, without buffers."""
    pixels_x, pixels_y = definition.buffer
    pad_x, pad_y = pixels_x * definition.resolution, pixels_y * definition.resolution
    features = [
        Feature(
            output_id=identifier,
            identifier=tile.name,
            path=definition.destination.uri(key),
            width=tile.width - 2 * pixels_x,
            height=tile.height - 2 * pixels_y,
            epsg=tile.epsg,
            geometry=box(
                tile.bounds[0] + pad_x, tile.bounds[1] + pad_y, tile.bounds[2] - pad_x, tile.bounds[3] - pad_y
            ),
        )
        for tile in tiles
        for identifier, key in definition.paths(task_id, tile.name, tile.id).items()
    ]
    return _written(lambda path: write_feature_manifest(path, features))


def execution_database(tiles: list[TileRow]) -> bytes:
    """Return ``execution-<id>.sqlite``: the state of each tile."""
    states = [
        FeatureState(
            id=tile.id, name=tile.name, status=tile.status, error=tile.error, delivered=tile.delivered
        )
        for tile in tiles
    ]
    return _written(lambda path: write_execution_database(path, states))


def _written(write: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        write(path)
        return path.read_bytes()
