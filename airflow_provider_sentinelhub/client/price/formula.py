"""The published price of a request, as a product of factors.

One processing unit (PU) pays for 512 x 512 pixels of three input bands with one data sample each, delivered
in at most 16 bits; everything else multiplies it ("Processing Unit definition" in the documentation of
Sentinel Hub and of the Copernicus Data Space Ecosystem).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

REFERENCE_PIXELS = 512 * 512
REFERENCE_BANDS = 3
SMALLEST_SHARE = 0.01  # of the reference size: what is smaller costs as much

FLOAT32 = 2.0  # a 32-bit float TIFF; 8 and 16 bits are 1
OCTET_STREAM = 1.4

ORTHORECTIFIED = 2.0
TERRAIN_CORRECTED = 2.5  # instead of the former, which it includes
SPECKLE_FILTERED = 2.0


@dataclass(frozen=True)
class Api:
    """The factor of an API for images of at least ``pixels``, and the ``minimum`` of a request in PU."""

    name: str
    factor: float
    pixels: int
    minimum: float


PROCESS = Api("Process", 1.0, 1, 0.005)
ASYNC = Api("asynchronous Process", 2 / 3, 10_000, 10.0)
# Tiles "bigger than 10.000 px": one of exactly that size is taken not to be (assumed).
BATCH = Api("Batch V2", 1 / 3, 10_001, 100.0)


@dataclass(frozen=True)
class Terms:
    """What multiplies the price of each pixel; `DefinitionError` for terms that cannot be.

    ``bands`` are input bands of all collections (``dataMask`` not counted, unless it is alone), ``format``
    and ``sentinel1`` the factors above, ``local`` and ``remote`` how many collections are combined, on the
    deployment that is called and elsewhere.
    """

    bands: int
    format: float = 1.0
    local: int = 1
    remote: int = 0
    sentinel1: float = 1.0
    api: Api = BATCH

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise DefinitionError(faults, "price")

    def _faults(self) -> Iterator[Fault]:
        if self.bands < 1:
            yield Fault("bands", f"{self.bands!r} is no number of input bands", "Count at least one")
        if min(self.local, self.remote) < 0 or self.local + self.remote < 1:
            yield Fault("local", "there is no collection", "Count at least one")
        for name in ("format", "sentinel1"):
            factor = getattr(self, name)
            if not 1 <= factor < math.inf:
                yield Fault(name, f"{factor!r} is no factor of the price", "Give one of at least 1")

    @property
    def fusion(self) -> float:
        """The factor of data fusion: collections, those from elsewhere counted twice; 1 for a single one."""
        return 1.0 if self.local + self.remote == 1 else float(self.local + 2 * self.remote)

    def share(self, width: int, height: int) -> float:
        """Return the factor of an image's size."""
        return max(SMALLEST_SHARE, width * height / REFERENCE_PIXELS)

    def discount(self, width: int, height: int) -> float:
        """Return the factor of the API for an image of that size."""
        return self.api.factor if width * height >= self.api.pixels else 1.0

    def units(self, width: int, height: int, samples: float = 1.0) -> float:
        """Return the PU of one image, or tile; ``samples`` per pixel. The request's minimum is not in it."""
        # Whole numbers first, so that thirds come out as they should.
        per_pixel = self.bands * self.format * self.fusion * self.sentinel1 / REFERENCE_BANDS
        return self.share(width, height) * per_pixel * samples * self.discount(width, height)

    def billed(self, units: float) -> float:
        """Return what a request of so many PU costs: its minimum, if it is below."""
        return max(units, self.api.minimum)
