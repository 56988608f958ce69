"""An area of interest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sentinelhub.client.areas.faults import unreadable
from airflow_provider_sentinelhub.client.crs import CRS84, is_lon_lat, project
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shapely import MultiPolygon, Polygon

    from airflow_provider_sentinelhub.client.opening import Opener

# The service's own limit is not published; others who write requests keep to this one (assumed).
MAX_VERTICES = 1500

_STEP = 10_000.0  # metres between vertices of an outline that is brought to lon/lat


@dataclass(frozen=True)
class Area:
    """A valid polygon or multipolygon in a CRS that the service takes.

    Coordinates are x, y in ``crs`` (URL; longitude first), two-dimensional. Exteriors run counter-clockwise.
    In lon/lat all longitudes are within ±180: an area across the antimeridian has parts on both sides.
    ``rectangle`` says that it was given as a bounding box, and goes to the service as one.
    """

    geometry: Polygon | MultiPolygon
    crs: str = CRS84
    rectangle: bool = False

    @classmethod
    def read(
        cls,
        value: Any,
        *,
        crs: Any = None,
        invalid: Literal["refuse", "repair"] = "refuse",
        tolerance_m: float | None = None,
        max_vertices: int = MAX_VERTICES,
        opener: Opener | None = None,
    ) -> Area:
        """Read an area; `DefinitionError` names everything that is wrong with it.

        ``value`` is a shapely geometry; GeoJSON (geometry, feature or collection; object or text); WKT or
        EWKT; four numbers minx, miny, maxx, maxy (list or text); the API's own ``bounds``; a BBox or Geometry
        of sentinelhub; a GeoDataFrame or GeoSeries; an `Area`; anything with ``__geo_interface__``; or the
        path of a file of GeoJSON (.geojson, .json), of text (.wkt, .txt) or, with geopandas installed, of
        what that reads. ``opener`` gives the bytes behind a URL. Several features become one area.

        ``crs`` is that of values that do not say theirs; without it they are in lon/lat. Heights are dropped.
        In GeoJSON an edge of more than 180 degrees goes the short way, across the antimeridian; elsewhere,
        longitudes beyond ±180 and a box with minx > maxx do.

        An ``invalid`` area is refused, or repaired (shapely's make_valid, its polygons kept). One of more
        than ``max_vertices`` is refused, or simplified by at most ``tolerance_m`` metres, if given.
        """
        from airflow_provider_sentinelhub.client.areas import mending, reading, thinning

        found = reading.read(value, opener)
        options = list(_option_faults(invalid, tolerance_m))
        mended = mending.mend(found, crs, repair=invalid == "repair", faults=options)
        geometry = thinning.thin(mended.union, mended.crs, tolerance_m, max_vertices)
        return cls(geometry, mended.crs, mended.rectangle)

    def to_wire(self) -> dict[str, Any]:
        """Return the API's ``bounds``."""
        properties = {"crs": self.crs}
        if self.rectangle:
            return {"bbox": list(self.bounds), "properties": properties}
        from shapely.geometry import mapping

        shape = mapping(self.geometry)
        geometry = {"type": shape["type"], "coordinates": _lists(shape["coordinates"])}
        return {"geometry": geometry, "properties": properties}

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Minx, miny, maxx, maxy in the area's CRS; ±180 for one across the antimeridian."""
        west, south, east, north = self.geometry.bounds
        return west, south, east, north

    @property
    def vertices(self) -> int:
        """How many coordinate pairs the outline has, each ring's first and last both counted."""
        import shapely

        return int(shapely.get_num_coordinates(self.geometry))

    @property
    def km2(self) -> float:
        """Area on the WGS 84 ellipsoid in km², edges straight in ``crs``; needs pyproj unless in lon/lat."""
        from airflow_provider_sentinelhub.client.areas.measure import square_metres

        return square_metres(self.in_lon_lat().geometry) / 1e6

    def in_lon_lat(self) -> Area:
        """Return the same area in CRS84, with vertices every 10 km so that edges stay in place.

        Needs pyproj unless it is in lon/lat already. `DefinitionError` if its CRS has no such coordinates.
        """
        if is_lon_lat(self.crs):
            return Area(self.geometry, CRS84, self.rectangle)
        from airflow_provider_sentinelhub.client.areas.antimeridian import wrap

        try:
            there = project(self.geometry, self.crs, CRS84, step=_STEP)
        except ValueError as error:
            raise unreadable(str(error), f"Check its coordinates against {self.crs}") from error
        return Area(wrap(there, short_way=True))


def _option_faults(invalid: str, tolerance_m: float | None) -> Iterator[Fault]:
    if invalid not in ("refuse", "repair"):
        yield Fault("invalid_area", f"{invalid!r} is not known", "Choose refuse or repair")
    if tolerance_m is not None and not tolerance_m > 0:
        yield Fault("area_tolerance", f"{tolerance_m!r} is not above 0", "Give metres")


def _lists(coordinates: Any) -> Any:
    """Return what JSON would make of nested tuples."""
    if isinstance(coordinates, tuple | list):
        return [_lists(item) for item in coordinates]
    return float(coordinates)
