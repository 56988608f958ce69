"""The coordinate reference systems of the service, as EPSG codes.

Coordinates are always x, y: longitude before latitude for EPSG:4326, whatever EPSG says.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely
from pyproj import Transformer

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    Coordinates = NDArray[np.float64]

WGS84 = 4326

_NATIONAL = (
    *(2154, 2180, 2193, 3003, 3004, 3005, 3006, 3031, 3035, 3161, 3346, 3413, 3416, 3578, 3580),
    *(3765, 3794, 3844, 3912, 3995, 4026, 5514, 28992, 32184),
)

SUPPORTED_CRS: frozenset[int] = frozenset(
    (WGS84, 3857, *range(32601, 32661), *range(32701, 32761), *_NATIONAL)
)
"""EPSG codes a request may use (documented for the Process API)."""

_CRS84 = re.compile(r"https?://www\.opengis\.net/def/crs/OGC/1\.3/CRS84")
_EPSG = re.compile(r"https?://www\.opengis\.net/def/crs/EPSG/0/(\d{4,5})")


def parse_crs(uri: str) -> int:
    """Give the EPSG code of a request's ``properties.crs``; CRS84 is EPSG:4326 with x, y order.

    Raises ValueError for another form, or a code the service doesn't support.
    """
    if _CRS84.fullmatch(uri):
        return WGS84
    match = _EPSG.fullmatch(uri)
    if match is None or int(match[1]) not in SUPPORTED_CRS:
        raise ValueError(f"Unsupported CRS: {uri!r}")
    return int(match[1])


@lru_cache(maxsize=512)
def _transformer(source: int, target: int) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def _shift(source: int, target: int) -> Callable[[Coordinates], Coordinates]:
    transformer = _transformer(source, target)

    def shift(points: Coordinates) -> Coordinates:
        # Lists: older pyproj takes a number out of an array of one, which NumPy warns about.
        x, y = transformer.transform(points[:, 0].tolist(), points[:, 1].tolist())
        return np.column_stack((x, y))

    return shift


def project(geometry: BaseGeometry, from_epsg: int, to_epsg: int) -> BaseGeometry:
    """Bring the vertices of a geometry from one CRS to another; edges aren't densified.

    Raises ValueError when a vertex has no place in the target CRS, as on the far side of the world.
    """
    if from_epsg == to_epsg:
        return geometry
    projected = shapely.transform(geometry, _shift(from_epsg, to_epsg))
    if not np.isfinite(shapely.get_coordinates(projected)).all():
        raise ValueError(f"The geometry reaches outside the area of EPSG:{to_epsg}")
    return projected
