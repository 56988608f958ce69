"""Areas across the antimeridian or around a pole, cut so that all longitudes are within ±180."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shapely import LinearRing, MultiPolygon, Polygon
    from shapely.geometry.base import BaseGeometry


def crosses(polygon: BaseGeometry, *, short_way: bool) -> bool:
    """Whether a lon/lat polygon needs cutting; ``short_way``: edges over 180 degrees go the short way."""
    import numpy as np
    import shapely

    west, _, east, _ = polygon.bounds
    if west < -180 or east > 180:
        return True
    if not short_way or east - west <= 180:
        return False
    rings = shapely.get_rings(shapely.get_parts(polygon))
    steps = np.concatenate([np.abs(np.diff(shapely.get_coordinates(ring)[:, 0])) for ring in rings])
    far = steps[steps > 180]
    # Edges all the way along a parallel are those of an area around the world that is already cut.
    return bool((far < 360).any()) or (far.size > 0 and not shapely.is_valid(polygon))


def wrap(geometry: BaseGeometry, *, short_way: bool) -> Polygon | MultiPolygon:
    """Return a valid lon/lat polygon or multipolygon within ±180, cut where it has to be."""
    import shapely

    if not crosses(geometry, short_way=short_way):
        return geometry  # type: ignore[return-value]
    return cut([unroll(polygon, short_way=short_way) for polygon in shapely.get_parts(geometry)])


def unroll(polygon: Polygon, *, short_way: bool) -> list[BaseGeometry]:
    """Return what the exterior and each hole enclose, longitudes running on beyond ±180."""
    return [_enclosed(ring, short_way=short_way) for ring in (polygon.exterior, *polygon.interiors)]


def _enclosed(ring: LinearRing, *, short_way: bool) -> Polygon:
    import numpy as np
    from shapely import Polygon, get_coordinates

    points = get_coordinates(ring)
    if short_way:
        steps = np.diff(points[:, 0])
        steps -= 360 * np.round(steps / 360)
        lon = points[0, 0] + np.concatenate(([0], np.cumsum(steps)))
        points = np.column_stack((lon, points[:, 1]))
        if abs(lon[-1] - lon[0]) > 180:
            # Once around the world: it encloses a pole, the nearer one.
            pole = math.copysign(90, points[:, 1].mean())
            points = np.vstack((points, [(lon[-1], pole), (lon[0], pole)]))
    enclosed = Polygon(points)
    # A box around the whole world has no short way.
    return enclosed if enclosed.area else Polygon(ring)


def cut(polygons: Iterable[list[BaseGeometry]]) -> Polygon | MultiPolygon:
    """Join polygons, each what its exterior and its holes enclose, within ±180."""
    from shapely import union_all

    whole = [
        _within(exterior).difference(union_all([_within(hole) for hole in holes]))
        for exterior, *holes in polygons
    ]
    return only_polygons(union_all(whole))


def _within(polygon: BaseGeometry) -> BaseGeometry:
    from shapely import affinity, box, union_all

    if polygon.is_empty:
        return polygon
    west, south, east, north = polygon.bounds
    turns = range(math.floor((west + 180) / 360), math.ceil((east - 180) / 360) + 1)
    windows = {turn: box(360 * turn - 180, south - 1, 360 * turn + 180, north + 1) for turn in turns}
    return union_all(
        [affinity.translate(window.intersection(polygon), -360 * turn) for turn, window in windows.items()]
    )


def only_polygons(geometry: BaseGeometry) -> Polygon | MultiPolygon:
    """Return the polygons in a geometry, without the points and lines that cutting or mending left."""
    from shapely import MultiPolygon, Polygon, get_parts

    parts = get_parts(get_parts(geometry))
    found = [part for part in parts if isinstance(part, Polygon) and not part.is_empty]
    return found[0] if len(found) == 1 else MultiPolygon(found)
