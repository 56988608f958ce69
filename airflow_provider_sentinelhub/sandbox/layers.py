"""The collections of a tile, each with its scenes, ready to be read block by block."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox.evalscript import (
    EvalscriptError,
    SceneInfo,
    Setup,
    Source,
    Stack,
    TileInfo,
    sources,
)
from airflow_provider_sentinelhub.sandbox.scenes import COLLECTIONS, Reader, grouped, ordered, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.scenes import Grid, Lattice, Product


def layers(data: Sequence[dict[str, Any]], setup: Setup, lattice: Lattice, resolution: float) -> list[Layer]:
    """Return a layer for each entry of ``input.data``.

    :raises EvalscriptError: the sandbox has no scenes of a collection, or the script's inputs do not fit
    """
    for item in data:
        if item.get("type") not in COLLECTIONS:
            message = f"The sandbox has no scenes of {item.get('type')}, only of {', '.join(COLLECTIONS)}."
            raise EvalscriptError(message)
    wanted = sources(setup, [item["type"] for item in data], [item.get("id") for item in data])
    return [
        Layer(item, source, setup, lattice, resolution) for item, source in zip(data, wanted, strict=True)
    ]


class Layer:
    """One collection of a tile.

    :ivar stack: what the script is told of it
    :ivar covered: pixels that were read and lie in a product, over all samples
    """

    def __init__(
        self, item: dict[str, Any], source: Source, setup: Setup, lattice: Lattice, resolution: float
    ) -> None:
        data_filter = item.get("dataFilter") or {}
        time_range = _time_range(data_filter)
        cover = float(data_filter.get("maxCloudCoverage", 100))
        found = search(lattice, source.collection, *time_range, cover)
        products = ordered(found, data_filter.get("mosaickingOrder", "mostRecent"))
        self.simple = source.mosaicking == "SIMPLE"
        self._fused = source.key is not None
        self._reader = Reader(lattice, source.units, item.get("processing") or {}, resolution)
        self._scenes = grouped(products, source.mosaicking) if products else []
        self._samples: list[list[Product]] = []
        self.bands = source.bands
        self.covered = 0
        self.stack = Stack(
            source,
            [] if self.simple else [_scene_info(scene, setup) for scene in self._scenes],
            time_range,
            self._reader.scales(),
            empty=not products,
        )

    def keep(self, indices: Sequence[int]) -> int:
        """Read only these scenes from now on; return how many samples of a pixel that makes."""
        if not self.simple:
            self._samples = [self._scenes[index] for index in indices]
        else:
            # Without any product, an only collection still has a sample; in data fusion it has none.
            self._samples = self._scenes or ([] if self._fused else [[]])
        return len(self._samples)

    def read(self, grid: Grid, area: NDArray[np.bool_] | None) -> list[dict[str, NDArray[Any]]]:
        """Return the samples of some rows; ``area``: the pixels that were asked for."""
        block = self._reader.block(grid)
        samples = []
        for scene in self._samples:
            sample, count = block.read(scene, area)
            self.covered += count
            samples.append(sample)
        return samples

    def depth(self, pixels: int) -> float:
        """Return the data samples per pixel, averaged over what was read: SIMPLE 1, else the scenes there."""
        return 1.0 if self.simple else self.covered / pixels


def _time_range(data_filter: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return both ends, included. Without a range everything up to now counts (assumed)."""
    time_range = data_filter.get("timeRange") or {}
    start = _moment(time_range["from"]) if "from" in time_range else datetime(2015, 1, 1, tzinfo=timezone.utc)
    end = _moment(time_range["to"]) if "to" in time_range else datetime.now(timezone.utc)
    return start, end


def _moment(text: str) -> datetime:
    # Python 3.10 reads neither a Z nor fractions of other than three or six digits.
    text = re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", text.upper().replace("Z", "+00:00"))
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def _scene_info(products: Sequence[Product], setup: Setup) -> SceneInfo:
    tiles = tuple(
        TileInfo(
            product.date,
            product.id,
            product.cloud_cover,
            product.path,
            product.granule.geometry() if setup.wants_bounds else {},
        )
        for product in products
    )
    return SceneInfo(products[0].date, tiles)
