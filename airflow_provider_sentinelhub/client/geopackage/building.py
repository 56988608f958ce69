"""Features made of areas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sentinelhub.client.areas import Area, mending, reading
from airflow_provider_sentinelhub.client.crs import CRS84, crs_url, is_lon_lat, project, utm_crs
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.geopackage.feature import Feature
from airflow_provider_sentinelhub.client.grids import tiles_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapely import MultiPolygon, Polygon
    from shapely.geometry.base import BaseGeometry

    from airflow_provider_sentinelhub.client.opening import Opener

_STEP = 0.01  # degrees between vertices, so that edges stay in place


def features_of(
    source: Any,
    resolution: float,
    *,
    crs: Any = None,
    grid_id: int | None = None,
    identifier: str = "id",
    source_crs: Any = None,
    invalid: Literal["refuse", "repair"] = "refuse",
    opener: Opener | None = None,
) -> Iterator[Feature]:
    """Yield a feature for every polygon of ``source``, or for every tile of a grid that it touches.

    ``source`` is an `Area` or anything that `Area.read` takes, with the same meaning of ``invalid`` and
    ``opener``, and ``source_crs`` for its ``crs``. The property ``identifier`` names the features of a
    collection or GeoDataFrame; a single geometry without it is called ``area``.

    With ``grid_id`` the tiles are taken whole, and named as the grid names them. Otherwise polygons in
    lon/lat are brought to the UTM zone of their middle, others stay in their CRS, and all are brought to
    ``crs`` if that is given. ``resolution`` is in the unit of that CRS. `DefinitionError`, when the first
    feature is asked for, names what is wrong.
    """
    if not isinstance(source, Area):
        shapes = reading.read(source, opener)
        mended = mending.mend(shapes, source_crs, repair=invalid == "repair")
        area = Area(mended.union, mended.crs)
    else:
        shapes, area = reading.Shapes([source.geometry]), source
        mended = mending.Mended((source.geometry,), source.crs, source.rectangle)
    if grid_id is not None:
        for tile in tiles_of(area, grid_id):
            yield Feature(tile.name, _box(tile.bounds), tile.crs, resolution=resolution)
        return
    names = _names(shapes.properties or [{}] * len(shapes.geometries), identifier)
    for name, geometry in zip(names, mended.geometries, strict=True):
        target = crs_url(crs) if crs is not None else _own_crs(geometry, mended.crs)
        yield Feature(name, _moved(geometry, mended.crs, target), target, resolution=resolution)


def _names(properties: Any, key: str) -> list[str]:
    found = [row.get(key) for row in properties]
    if len(found) == 1 and found[0] is None and not properties[0]:
        return ["area"]
    missing = [number for number, name in enumerate(found, 1) if name is None or name != name]  # noqa: PLR0124
    if missing:
        which = ", ".join(map(str, missing[:10])) + (" and others" if len(missing) > 10 else "")
        problem = f"features {which} have no property {key!r}"
        raise DefinitionError(
            [Fault("identifier", problem, "Name the property that tells them apart")], "area"
        )
    return [str(name) for name in found]


def _own_crs(geometry: BaseGeometry, crs: str) -> str:
    import shapely

    if not is_lon_lat(crs):
        return crs
    # Of an area across the antimeridian, the middle of all would be on the far side of the world.
    largest = max(shapely.get_parts(geometry), key=lambda part: part.area)
    return utm_crs(largest.centroid.x, largest.centroid.y)


def _moved(geometry: Polygon | MultiPolygon, source: str, target: str) -> BaseGeometry:
    import shapely

    if not is_lon_lat(source) and source != target:
        geometry, source = Area(geometry, source).in_lon_lat().geometry, CRS84
    try:
        moved = project(geometry, source, target, step=_STEP)
    except ValueError as error:
        raise DefinitionError(
            [Fault("crs", str(error), "Choose another, or leave it out")], "area"
        ) from error
    seam = geometry.bounds[0] == -180 and geometry.bounds[2] == 180
    # Parts on both sides of the antimeridian become one, to the millimetre.
    return (
        shapely.union_all(shapely.get_parts(moved), grid_size=0.001)
        if seam and moved is not geometry
        else moved
    )


def _box(bounds: tuple[float, float, float, float]) -> Polygon:
    from shapely import box

    return box(*bounds)
