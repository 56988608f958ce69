"""The archive: which products exist for a tile, and how they make scenes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from airflow_provider_sentinelhub.sandbox.scenes.granules import Granule, covering
from airflow_provider_sentinelhub.sandbox.scenes.orbits import Pass, passes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.scenes.lattice import Lattice

_BUCKETS = {"sentinel-2-l1c": "sentinel-s2-l1c", "sentinel-2-l2a": "sentinel-s2-l2a"}
COLLECTIONS = tuple(_BUCKETS)


@dataclass(frozen=True)
class Product:
    """What one pass saw of one granule."""

    collection: str
    orbit: Pass
    granule: Granule

    @cached_property
    def date(self) -> dt.datetime:
        """When its middle was seen, UTC."""
        return self.orbit.time_at(self.granule.latitude)

    @property
    def cloud_cover(self) -> float:
        """Percent of the granule."""
        return self.granule.cloud_cover(self.orbit.node_time.date())

    @property
    def path(self) -> str:
        """Where the product would be on AWS."""
        zone, band, square = self.granule.name
        day = f"{self.date.year}/{self.date.month}/{self.date.day}"
        return f"s3://{_BUCKETS[self.collection]}/tiles/{zone}/{band}/{square}/{day}/0"

    @property
    def id(self) -> int:
        """A number like the service's internal one."""
        return zlib.crc32(self.path.encode()) % 90_000_000 + 10_000_000

    def coverage(self, lattice: Lattice) -> NDArray[np.float32]:
        """Return the distance in metres of the nodes to the nearest edge, positive inside."""
        swath = lattice.keep(self.orbit, lambda: self.orbit.inside(*lattice.lonlat))
        nearest: NDArray[np.float32] = np.minimum(swath, self.granule.inside(lattice))
        return nearest


def search(
    lattice: Lattice,
    collection: str,
    start: dt.datetime,
    end: dt.datetime,
    max_cloud_coverage: float = 100.0,
) -> list[Product]:
    """Return the products that see part of a tile, most recent first.

    :param start, end: both included, as in ``timeRange``
    :param max_cloud_coverage: percent, of each product as a whole (documented)
    """
    lon, lat = (nodes[lattice.inner] for nodes in lattice.lonlat)
    granules = covering(lattice)
    found = []
    for orbit in passes(start, end, lon, lat):
        for granule in granules:
            product = Product(collection, orbit, granule)
            if not start <= product.date <= end or product.cloud_cover > max_cloud_coverage:
                continue
            if (product.coverage(lattice)[lattice.inner] > 0).any():
                found.append(product)
    return found


def ordered(products: Sequence[Product], mosaicking_order: str) -> list[Product]:
    """Sort products by ``mosaickingOrder`` (mostRecent, leastRecent, leastCC), the one on top first."""
    if mosaicking_order == "leastCC":
        return sorted(products, key=lambda product: product.cloud_cover)
    return sorted(products, key=lambda product: product.date, reverse=mosaicking_order != "leastRecent")


def grouped(products: Sequence[Product], mosaicking: str) -> list[list[Product]]:
    """Group products into the scenes that an evalscript sees: all in one, by UTC day, or one by one.

    Days and tiles stay in the order of the products; how ``mosaickingOrder`` affects it is assumed.
    """
    if mosaicking == "SIMPLE":
        return [list(products)]
    if mosaicking == "TILE":
        return [[product] for product in products]
    days: dict[dt.date, list[Product]] = {}
    for product in products:
        days.setdefault(product.date.date(), []).append(product)
    return list(days.values())
