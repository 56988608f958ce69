"""Whether the sizes in a manifest have the buffer in them: the service does not say, so it is found out.

A tile of a published grid has a known number of pixels. Where the grid is not known, the feature's outline
tells: at the request's resolution it is as wide as the pixels, or has the buffer that these have not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import DefinitionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.client.price.plan import Plan

Size = tuple[int, int]

_ADDED = "The manifest gives sizes without the buffer: its {0} x {1} pixels on each side are added."
_IN_IT = "The sizes in the manifest have the buffer in them."
_UNKNOWN = (
    "It does not show whether sizes in the manifest, such as {0} x {1}, have the buffer in them: it is "
    "added, which is dearer."
)


class Buffers:
    """The buffer of a request on a tiling grid; there is none for a GeoPackage."""

    def __init__(self, plan: Plan) -> None:
        self._buffer, self._resolution = plan.buffer, plan.resolution
        self._tile = _tile_size(plan)
        self._sizes: dict[Size, Size] = {}
        self.notes: list[str] = []

    def learn(self, width: int, height: int, bounds: tuple[float, float, float, float]) -> None:
        """Take note of a size and the bounds of one feature that has it."""
        if not any(self._buffer):
            return
        bare, full = self._with(width, height, -1), self._with(width, height, 1)
        tile = self._tile or self._pixels(bounds)
        if (width, height) == self._tile or (self._tile is None and full == tile):
            self._take((width, height), full, _ADDED.format(*self._buffer))
        elif bare == tile:
            self._take((width, height), (width, height), _IN_IT)
        else:
            self._take((width, height), full, _UNKNOWN.format(width, height))

    def size(self, width: int, height: int) -> Size:
        """Return a size of the manifest with the buffer."""
        return self._sizes.get((width, height), (width, height))

    def widened(self, bounds: NDArray[Any], sizes: NDArray[Any]) -> NDArray[Any]:
        """Return bounds with the buffer, about the same middles; ``sizes`` have it already."""
        import numpy as np

        if not any(self._buffer) or self._resolution is None:
            return bounds
        middles = (bounds[:, :2] + bounds[:, 2:]) / 2
        half = sizes * self._resolution / 2
        return np.hstack((middles - half, middles + half))

    def _take(self, size: Size, full: Size, note: str) -> None:
        self._sizes[size] = full
        if note not in self.notes and not (note.startswith(_UNKNOWN[:20]) and self._knows_unknown()):
            self.notes.append(note)

    def _knows_unknown(self) -> bool:
        return any(note.startswith(_UNKNOWN[:20]) for note in self.notes)

    def _with(self, width: int, height: int, times: int) -> Size:
        return width + 2 * times * self._buffer[0], height + 2 * times * self._buffer[1]

    def _pixels(self, bounds: tuple[float, float, float, float]) -> Size | None:
        """Return the pixels in bounds at the request's resolution."""
        if not self._resolution:
            return None
        west, south, east, north = bounds
        columns, rows = ((side / self._resolution) for side in (east - west, north - south))
        return round(columns), round(rows)


def _tile_size(plan: Plan) -> Size | None:
    from airflow_provider_sentinelhub.client.grids import describe, pixels

    if plan.grid is None or plan.resolution is None or not math.isfinite(plan.resolution):
        return None
    try:
        return pixels(describe(plan.grid), plan.resolution)
    except DefinitionError:  # a grid or resolution that is not published
        return None
