"""Where in the bucket the outputs of a request go: files by the template, or chunks of one Zarr group."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.sandbox.clock import timestamp
from airflow_provider_sentinelhub.sandbox.zarr import ZarrGroup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_sentinelhub.sandbox.definition import Definition
    from airflow_provider_sentinelhub.sandbox.records import Task, TileRow
    from airflow_provider_sentinelhub.sandbox.zarr import ZarrTile


class Placing:
    """The keys of a request's outputs, known once its tiles are."""

    def __init__(self, task: Task, definition: Definition, tiles: list[TileRow]) -> None:
        self._id, self._definition = task.id, definition
        self._group: ZarrGroup | None = None
        if definition.zarr:
            span = definition.data[0]["dataFilter"].get("timeRange")
            start = (
                datetime.fromisoformat(span["from"].upper().replace("Z", "+00:00"))
                if span
                else datetime.fromtimestamp(task.created, timezone.utc)
            )
            self._group = ZarrGroup.around(tiles, definition.zarr, definition.resolution, start)

    def in_group(self, tile: TileRow) -> ZarrTile | None:
        """Return where a tile lies in the arrays; ``None`` for raster output."""
        return self._group.tile(tile) if self._group else None

    def group_files(self, now: float) -> dict[str, bytes]:
        """Return what a Zarr group has besides chunks, by key; nothing for raster output."""
        files = self._group.files(timestamp(now)) if self._group else {}
        return {self._in_root(name): content for name, content in files.items()}

    def keys(self, tile: TileRow, names: Iterable[str]) -> dict[str, str]:
        """Return the key of each rendered file of a tile, by the name it was rendered under."""
        if self._group:
            return {name: self._in_root(name) for name in names}
        return self._definition.paths(self._id, tile.name, tile.id)

    def _in_root(self, name: str) -> str:
        return self._definition.destination.root_key(self._id, name)
