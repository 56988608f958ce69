"""Processing units, by the documented formula."""

from __future__ import annotations

import math

REFERENCE_PIXELS = 512 * 512
REFERENCE_BANDS = 3
SMALLEST_SHARE = 0.01  # of the reference size: a smaller tile costs as much as this
BATCH_FACTOR = 1 / 3
BATCH_PIXELS = 10_000  # tiles must be bigger than this for the batch factor
MINIMUM_REQUEST_PU = 100.0  # of a batch request
MINIMUM_PROCESS_PU = 0.005


def tile_units(*, pixels: int, bands: int, float32: bool, samples: float, collections: int = 1) -> float:
    """Return the processing units of one tile of a batch request.

    ``bands`` are the input bands that count (``dataMask`` is free unless it is the only one), ``samples`` the
    mean number of data samples per pixel. Data fusion costs as many times as it has ``collections``: all of
    them are taken to be local (assumed).
    """
    batch = BATCH_FACTOR if pixels > BATCH_PIXELS else 1.0
    return _units(pixels, bands, float32, samples, collections) * batch


def process_units(*, pixels: int, bands: int, float32: bool, samples: float, collections: int = 1) -> float:
    """Return the processing units of one call of the Process API; parameters as of `tile_units`."""
    return max(MINIMUM_PROCESS_PU, _units(pixels, bands, float32, samples, collections))


def _units(pixels: int, bands: int, float32: bool, samples: float, collections: int) -> float:
    size = max(SMALLEST_SHARE, pixels / REFERENCE_PIXELS)
    return size * bands / REFERENCE_BANDS * (2 if float32 else 1) * samples * collections


def catalog_units(square_kilometres: float, days: float) -> float:
    """Return the processing units of one search of the Catalog; a month is 30 days here (assumed)."""
    area = max(SMALLEST_SHARE, square_kilometres / 1_000_000)
    return min(1.0, max(0.01, area * max(1, math.ceil(days / 30))))


def surcharge(spent: float) -> float:
    """Return what is still missing to the minimum of a request; charged when it is DONE (assumed)."""
    return max(0.0, MINIMUM_REQUEST_PU - spent)
