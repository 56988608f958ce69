"""Outlines with fewer vertices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.crs import is_lon_lat, metres_per_degree
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from typing import TypeVar

    from shapely import MultiPolygon, Polygon

    _Polygons = TypeVar("_Polygons", bound=Polygon | MultiPolygon)

_TRIED = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)  # metres


def thin(
    geometry: Polygon | MultiPolygon, crs: str, tolerance_m: float | None, most: int
) -> Polygon | MultiPolygon:
    """Return a polygon of at most that many vertices, none of which was off by more than the tolerance.

    Parts and holes stay apart and none is lost. `DefinitionError` if there are too many vertices all the
    same, or no tolerance was given.
    """
    import shapely

    count = int(shapely.get_num_coordinates(geometry))
    if count <= most:
        return geometry
    if tolerance_m is not None:
        thinned = _simplified(geometry, crs, tolerance_m)
        if shapely.get_num_coordinates(thinned) <= most and thinned.is_valid:
            return thinned
    given = "" if tolerance_m is None else f", too many even when simplified by {tolerance_m:g} m"
    tolerances = [t for t in _TRIED if t > (tolerance_m or 0)]
    enough = next(
        (t for t in tolerances if shapely.get_num_coordinates(_simplified(geometry, crs, t)) <= most), 0
    )
    rings = len(shapely.get_rings(shapely.get_parts(geometry)))
    raise DefinitionError(
        [
            Fault(
                "area",
                f"has {count} vertices, more than {most}{given}",
                f"A tolerance (area_tolerance) of {enough} metres is enough"
                if enough
                else f"Take small parts and holes out of it: it has {rings} rings",
            )
        ],
        "area",
    )


def _simplified(geometry: Polygon | MultiPolygon, crs: str, tolerance_m: float) -> Polygon | MultiPolygon:
    """Simplify, in degrees stretched so that no distance is larger on the ground than it is measured."""
    from shapely import affinity

    if not is_lon_lat(crs):
        return _checked(geometry, tolerance_m)
    _, south, _, north = geometry.bounds
    lowest = 0.0 if south <= 0 <= north else min(abs(south), abs(north))
    x, y = metres_per_degree(lowest)[0], metres_per_degree(90)[1]
    flat = affinity.scale(geometry, x, y, origin=(0, 0))
    thinned = _checked(flat, tolerance_m)
    return affinity.scale(thinned, 1 / x, 1 / y, origin=(0, 0))


def _checked(geometry: _Polygons, tolerance: float) -> _Polygons:
    """Simplify with the topology kept, and make sure that no vertex was further off than allowed."""
    import shapely

    thinned = shapely.simplify(geometry, tolerance, preserve_topology=True)
    outline = thinned.boundary
    shapely.prepare(outline)
    points = shapely.points(shapely.get_coordinates(geometry))
    # A millimetre for rounding.
    return thinned if shapely.dwithin(outline, points, tolerance + 1e-3).all() else geometry
