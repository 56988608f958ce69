"""Which grids can be had at a resolution, or at the next finer one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_sentinelhub.client.models import TilingGrid


class Offer(NamedTuple):
    """A grid, and the resolution of it that comes closest to what was wanted without being coarser."""

    grid: TilingGrid
    resolution: float
    exact: bool


def offers(wanted: float, grids: Iterable[TilingGrid], unit: str = "METRE") -> list[Offer]:
    """Return what the grids of a unit (``METRE`` or ``DEGREE``) offer, what comes closest first."""
    found = []
    for grid in grids:
        fine = [one for one in grid.resolutions if one <= wanted or math.isclose(one, wanted)]
        if fine and grid.unit.upper() == unit.upper():
            found.append(Offer(grid, max(fine), math.isclose(max(fine), wanted)))
    return sorted(found, key=lambda offer: (-offer.resolution, offer.grid.id))
