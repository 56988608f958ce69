"""Where products lie: outlines of granules, and of the part of them that a pass sees."""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely
from shapely import affinity

from airflow_provider_sentinelhub.sandbox.scenes.granules import Granule, beyond
from airflow_provider_sentinelhub.sandbox.scenes.lattice import to_lonlat
from airflow_provider_sentinelhub.sandbox.scenes.orbits import HALF_SWATH, TRACKS, Pass, passes_near
from airflow_provider_sentinelhub.sandbox.scenes.products import Product

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

_ROWS, _COLUMNS = 56, 9  # where the edge of a swath is looked for within a granule
_REACH = 85_000.0  # metres from a granule's middle to its corners, and a little more
_AROUND = timedelta(
    hours=1
)  # a product is seen at most this long before or after its pass's equator crossing
_WORLD = shapely.box(-180, -90, 180, 90)


class Footprint(NamedTuple):
    """The part of a granule that a pass sees.

    :ivar utm: polygon in metres of the granule's zone
    :ivar lonlat: the same, split where it passes 180 degrees
    """

    utm: BaseGeometry
    lonlat: BaseGeometry


def footprint(product: Product) -> Footprint:
    """Return where a product has data."""
    track = Pass(product.orbit.orbit, datetime.min, product.orbit.node_longitude)
    return _footprint(product.granule, track)


def acquired(
    area: BaseGeometry, collection: str, start: datetime, end: datetime, zones: Sequence[int] = range(1, 61)
) -> Iterator[Product]:
    """Yield the products that see part of an area, most recent first.

    :param area: longitude, latitude, within 180 degrees
    :param start, end: both included, UTC
    :param zones: UTM zones to look at
    """
    granules = [granule for zone in zones for granule in _touching(area, zone)]
    if not granules:
        return
    shapely.prepare(area)
    seen = _tracks_over(granules)
    day = end.date()
    while day >= start.date():
        midnight = datetime.combine(day, time(), timezone.utc)
        noon, half = midnight + timedelta(hours=12), timedelta(hours=12)
        products = [
            Product(collection, one, granule)
            for track, below in seen
            for one in passes_near(track, noon, half + _AROUND)
            for granule in below
        ]
        products = [one for one in products if start <= one.date <= end and one.date.date() == day]
        for product in sorted(products, key=lambda one: (one.date, one.granule.name), reverse=True):
            if footprint(product).lonlat.intersects(area):
                yield product
        day -= timedelta(days=1)


def _touching(area: BaseGeometry, zone: int) -> list[Granule]:
    """Return the granules of a zone that see part of an area, as for a tile."""
    # Zones are alike: the area is moved to zone 31.
    _, south, _, north = area.bounds
    more = beyond(min(85.0, max(abs(south), abs(north))))
    reach = shapely.box(-more, -90, 6 + more, 90)
    turned = [affinity.translate(area, (31 - zone) * 6 + turn) for turn in (0, 360, -360)]
    moved = shapely.union_all([one for one in turned if one.intersects(reach)])
    if moved.is_empty:
        return []
    shapely.prepare(moved)
    found = []
    for hemisphere in (32600, 32700):
        squares, outlines = _outlines(hemisphere)
        hit = np.flatnonzero(shapely.intersects(moved, outlines))
        found += [Granule(hemisphere + zone, *squares[index]) for index in hit]
    return found


@cache
def _outlines(hemisphere: int) -> tuple[list[tuple[int, int]], NDArray[Any]]:
    """Return columns and rows of the granules of zone 31, and their outlines."""
    rows = range(95) if hemisphere == 32600 else range(5, 100)  # up to 85 degrees
    all_of_them = [Granule(hemisphere + 31, column, row) for column in range(1, 9) for row in rows]
    granules = [granule for granule in all_of_them if granule.in_zone(0.0)]
    steps = np.linspace(0, 1, 12, endpoint=False)
    across = np.concatenate((steps, np.ones(12), 1 - steps, np.zeros(12)))
    up = np.concatenate((np.zeros(12), steps, np.ones(12), 1 - steps))
    rings = []
    for granule in granules:
        west, south, east, north = granule.bounds
        lonlat = to_lonlat(granule.epsg).transform(
            west + across * (east - west), south + up * (north - south)
        )
        rings.append(np.stack(lonlat, axis=-1))
    return [(granule.column, granule.row) for granule in granules], np.array(
        [shapely.Polygon(ring) for ring in rings]
    )


def _tracks_over(granules: Sequence[Granule]) -> list[tuple[Pass, list[Granule]]]:
    """Return the tracks that may see some of the granules, each with those."""
    middles = np.array([_middle_of_31(one.epsg // 100 * 100, one.column, one.row) for one in granules])
    middles[:, 0] += [(granule.epsg % 100 - 31) * 6 for granule in granules]
    over = []
    for track in TRACKS:
        near = np.abs(track.across(middles[:, 0], middles[:, 1])) < HALF_SWATH + _REACH
        if near.any():
            over.append((track, [granules[index] for index in np.flatnonzero(near).tolist()]))
    return over


@cache
def _middle_of_31(hemisphere: int, column: int, row: int) -> tuple[float, float]:
    west, south, east, north = Granule(hemisphere + 31, column, row).bounds
    lon, lat = to_lonlat(hemisphere + 31).transform((west + east) / 2, (south + north) / 2)
    return float(lon), float(lat)


@lru_cache(maxsize=4096)
def _footprint(granule: Granule, track: Pass) -> Footprint:
    west, south, east, north = granule.bounds
    xs, ys = np.linspace(west, east, _COLUMNS), np.linspace(south, north, _ROWS)
    transform = to_lonlat(granule.epsg).transform
    columns, rows = np.meshgrid(xs, ys)
    lon, lat = (np.asarray(degrees) for degrees in transform(columns, rows))
    across = track.across(lon, lat)  # rises eastwards
    left = np.array([np.interp(-HALF_SWATH, row, xs, left=west, right=np.inf) for row in across])
    right = np.array([np.interp(HALF_SWATH, row, xs, left=-np.inf, right=east) for row in across])
    seen = left < right
    if seen.sum() < 2:
        return Footprint(shapely.Polygon(), shapely.Polygon())
    ring_x = np.concatenate((left[seen], right[seen][::-1]))
    ring_y = np.concatenate((ys[seen], ys[seen][::-1]))
    utm = shapely.Polygon(np.stack((ring_x, ring_y), axis=-1)).simplify(1.0)
    dense = shapely.segmentize(utm, 10_000)
    middle = granule.epsg % 100 * 6 - 183  # the zone's meridian

    def unwrapped(points: NDArray[np.float64]) -> NDArray[np.float64]:
        degrees = np.stack([np.asarray(one) for one in transform(points[:, 0], points[:, 1])], axis=-1)
        degrees[:, 0] = (degrees[:, 0] - middle + 180) % 360 - 180 + middle
        return degrees

    whole = shapely.transform(dense, unwrapped)
    parts = [_WORLD.intersection(affinity.translate(whole, turn)) for turn in (-360, 0, 360)]
    return Footprint(utm, shapely.union_all(parts))
