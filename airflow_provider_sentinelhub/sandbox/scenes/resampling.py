"""From source pixels to smaller ones: the request's ``upsampling``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.scenes.lattice import Grid


def resample(values: NDArray[Any], source: Grid, target: Grid, method: str) -> NDArray[Any]:
    """Return values at the target's pixel centres.

    NEAREST keeps their type, BILINEAR and BICUBIC give float32.
    """
    if source is target:
        return values
    columns, rows = _taps(source.xs, target.xs, method), _taps(source.ys, target.ys, method)
    if method == "NEAREST":
        return values[rows[0][0]][:, columns[0][0]]
    across = np.zeros((len(source.ys), len(target.xs)), np.float32)
    for index, weight in columns:
        across += values[:, index] * weight
    result = np.zeros(target.shape, np.float32)
    for index, weight in rows:
        result += across[index] * weight[:, np.newaxis]
    return result


def _taps(
    source: NDArray[np.float64], target: NDArray[np.float64], method: str
) -> list[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Return which source pixels each target pixel is made of, with their weights."""
    position = (target - source[0]) / (source[1] - source[0])
    if method == "NEAREST":
        return [(np.floor(position + 0.5).astype(np.intp), np.ones(len(target), np.float32))]
    # Rounded: a target pixel has the same weights from whichever tile it is looked at.
    first = np.floor(np.round(position, 6))
    t = np.round(position - first, 6)
    if method == "BILINEAR":
        weights = {0: 1 - t, 1: t}
    else:  # Catmull-Rom
        weights = {
            -1: ((-0.5 * t + 1) * t - 0.5) * t,
            0: (1.5 * t - 2.5) * t * t + 1,
            1: ((-1.5 * t + 2) * t + 0.5) * t,
            2: (0.5 * t - 0.5) * t * t,
        }
    return [(first.astype(np.intp) + shift, weight.astype(np.float32)) for shift, weight in weights.items()]
