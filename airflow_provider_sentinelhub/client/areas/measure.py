"""The size of an area on the ellipsoid."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.crs import ECCENTRICITY, EQUATOR

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

_STEP = 0.02  # degrees; an edge this short is as good as straight in the equal-area projection


def square_metres(geometry: BaseGeometry) -> float:
    """Return the area of a lon/lat geometry on WGS 84, its edges straight in lon/lat.

    Measured in the ellipsoidal cylindrical equal-area projection: Snyder, Map Projections - A Working
    Manual (1987), equations 3-12 (q) and 10-15 (its y), with the equator as the standard parallel.
    """
    import shapely

    return float(shapely.transform(shapely.segmentize(geometry, _STEP), _equal_area).area)


def _equal_area(points: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    sine, e = np.sin(np.radians(points[:, 1])), ECCENTRICITY
    q = (1 - e**2) * (sine / (1 - (e * sine) ** 2) - np.log((1 - e * sine) / (1 + e * sine)) / (2 * e))
    return np.column_stack((math.radians(EQUATOR) * points[:, 0], EQUATOR * q / 2))
