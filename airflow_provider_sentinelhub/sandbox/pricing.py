"""Processing units, by the documented formula."""

from __future__ import annotations

REFERENCE_PIXELS = 512 * 512
REFERENCE_BANDS = 3
SMALLEST_SHARE = 0.01  # of the reference size: a smaller tile costs as much as this
BATCH_FACTOR = 1 / 3
BATCH_PIXELS = 10_000  # tiles must be bigger than this for the batch factor
MINIMUM_REQUEST_PU = 100.0


def tile_units(*, pixels: int, bands: int, float32: bool, samples: float) -> float:
    """Return the processing units of one tile.

    ``bands`` are the input bands that count (``dataMask`` is free unless it is the only one), ``samples`` the
    mean number of data samples per pixel.
    """
    size = max(SMALLEST_SHARE, pixels / REFERENCE_PIXELS)
    batch = BATCH_FACTOR if pixels > BATCH_PIXELS else 1.0
    return size * bands / REFERENCE_BANDS * (2 if float32 else 1) * samples * batch


def surcharge(spent: float) -> float:
    """Return what is still missing to the minimum of a request; charged when it is DONE (assumed)."""
    return max(0.0, MINIMUM_REQUEST_PU - spent)
