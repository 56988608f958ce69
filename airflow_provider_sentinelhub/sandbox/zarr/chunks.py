"""A tile's pixels as chunks of Zarr arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numcodecs import blosc, get_codec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.zarr.layout import ZarrArray

# Threads do not live through a fork, and the workers are as many as there should be.
blosc.use_threads = False


@dataclass(frozen=True)
class ZarrTile:
    """Where a tile lies in the arrays: its first row and column, on a boundary of chunks in all of them."""

    arrays: tuple[ZarrArray, ...]
    row: int
    column: int
    bottom_left: bool

    def chunks(self, name: str, pixels: NDArray[Any]) -> Iterator[tuple[str, bytes]]:
        """Yield key within the group and content of each chunk that is not just the fill value.

        :param pixels: rows x columns, north up
        """
        array = next(array for array in self.arrays if array.name == name)
        codec, fill = get_codec(dict(array.compressor)), array.fill[0]
        rows, columns = array.chunks
        if self.bottom_left:
            pixels = pixels[::-1]
        for top in range(0, pixels.shape[0], rows):
            for left in range(0, pixels.shape[1], columns):
                chunk = pixels[top : top + rows, left : left + columns].astype(array.dtype, order="C")
                if (chunk == fill).all() or (np.isnan(fill) and np.isnan(chunk).all()):
                    continue
                key = f"{name}/0.{(self.row + top) // rows}.{(self.column + left) // columns}"
                yield key, bytes(codec.encode(chunk))
