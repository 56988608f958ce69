"""What goes to a worker: which tiles together, and all that it needs to know of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import deque

    from airflow_provider_sentinelhub.sandbox.definition import Definition
    from airflow_provider_sentinelhub.sandbox.records import TileRow
    from airflow_provider_sentinelhub.sandbox.render import TileJob
    from airflow_provider_sentinelhub.sandbox.zarr import ZarrTile

# A batch of tiles that go to a worker together.
_BATCH_TILES = 32
_BATCH_PIXELS = 65_536


def next_batch(pending: deque[TileRow], most: int) -> list[TileRow]:
    """Take the next tile, or as many small ones as are worth one way to a worker; at least one."""
    most = min(most, _BATCH_TILES)
    batch = [pending.popleft()]
    pixels = batch[0].width * batch[0].height
    while pending and len(batch) < most:
        pixels += pending[0].width * pending[0].height
        if pixels > _BATCH_PIXELS:
            break
        batch.append(pending.popleft())
    return batch


def tile_job(
    definition: Definition, tile: TileRow, *, outline: bytes | None, in_group: ZarrTile | None
) -> TileJob:
    """Return the job of a tile.

    :param outline: WKB of a feature that does not fill its bounds. Tiles of a grid have none: one that the
        area covers in part is processed in its entirety (documented)
    :param in_group: where the tile lies in the arrays of Zarr output
    """
    from airflow_provider_sentinelhub.sandbox.render import TileJob

    return TileJob(
        evalscript=definition.evalscript,
        data=definition.data,
        responses=definition.responses,
        epsg=tile.epsg,
        bounds=tile.bounds,
        width=tile.width,
        height=tile.height,
        area_wkb=outline,
        cog=definition.cog,
        cog_parameters=definition.cog_parameters,
        zarr=in_group,
    )
