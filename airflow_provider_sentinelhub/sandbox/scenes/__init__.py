"""A synthetic Sentinel-2 archive: L1C and L2A scenes of a made-up world, from mid-2015 on.

Every pixel is a pure function of its place on earth and the date: no files, no network, no randomness.
"""

from __future__ import annotations

from airflow_provider_sentinelhub.sandbox.scenes.footprints import Footprint, acquired, footprint
from airflow_provider_sentinelhub.sandbox.scenes.lattice import Grid, Lattice, metres_per_unit
from airflow_provider_sentinelhub.sandbox.scenes.orbits import FIRST_DAY
from airflow_provider_sentinelhub.sandbox.scenes.products import (
    COLLECTIONS,
    Product,
    grouped,
    ordered,
    search,
)
from airflow_provider_sentinelhub.sandbox.scenes.sampling import Reader

__all__ = [
    "COLLECTIONS",
    "FIRST_DAY",
    "Footprint",
    "Grid",
    "Lattice",
    "Product",
    "Reader",
    "acquired",
    "footprint",
    "grouped",
    "metres_per_unit",
    "ordered",
    "search",
]
