"""What makes a polygon that was read one that the service takes, or says why it cannot be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.areas import antimeridian
from airflow_provider_sentinelhub.client.crs import CRS84, crs_url, is_lon_lat
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shapely import MultiPolygon, Polygon
    from shapely.geometry.base import BaseGeometry

    from airflow_provider_sentinelhub.client.areas.reading import Shapes

_NAMED = 10  # faults of so many geometries are told one by one
_REPROJECT = "Reproject it to longitude and latitude (EPSG:4326), or another CRS of the service"


@dataclass(frozen=True)
class Mended:
    """Valid polygons and multipolygons, exteriors counter-clockwise, in the CRS with this URL."""

    geometries: tuple[Polygon | MultiPolygon, ...]
    crs: str
    rectangle: bool

    @property
    def union(self) -> Polygon | MultiPolygon:
        """All of them as one."""
        import shapely

        if len(self.geometries) == 1:
            return self.geometries[0]
        return _oriented(antimeridian.only_polygons(shapely.union_all(self.geometries)))


def mend(shapes: Shapes, crs: Any, *, repair: bool, faults: Sequence[Fault] = ()) -> Mended:
    """Check, and repair if wanted; `DefinitionError` names all that is wrong, ``faults`` and all."""
    import shapely

    url, crs_faults = _crs(shapes.crs, crs)
    lon_lat, known = is_lon_lat(url), not crs_faults
    faults = [*faults, *crs_faults]
    mended, crossing = [], False
    for number, geometry in enumerate(shapely.force_2d(list(shapes.geometries)), 1):
        found = list(_faults(geometry, lon_lat=lon_lat, known=known))
        if not found:
            polygons = antimeridian.only_polygons(geometry)
            short_way = shapes.spherical and lon_lat
            crosses = lon_lat and antimeridian.crosses(polygons, short_way=short_way)
            pieces: list[list[BaseGeometry]] = [[polygons]]
            if crosses:
                pieces = [antimeridian.unroll(p, short_way=short_way) for p in shapely.get_parts(polygons)]
            found = _invalid(pieces, repair=repair)
        if not found:
            sound = [[_repaired(piece) for piece in rings] for rings in pieces]
            joined = antimeridian.cut(sound) if crosses else antimeridian.only_polygons(sound[0][0])
            if joined.is_empty:
                found = [Fault("area", "has nothing left once it is repaired", "Draw it anew")]
            mended.append(_oriented(joined))
            crossing |= crosses
        where = f"geometry {number} " if len(shapes.geometries) > 1 else ""
        faults += [Fault("area", where + fault.problem, fault.remedy) for fault in found]
    if not shapes.geometries:
        faults.append(Fault("area", "is empty", "Give at least one polygon"))
    if faults:
        more = [Fault("area", f"has {len(faults) - _NAMED} more faults", "Mend the others first")]
        raise DefinitionError(faults if len(faults) <= _NAMED else faults[:_NAMED] + more, "area")
    return Mended(tuple(mended), url, shapes.rectangle and not crossing)


def _crs(stated: Any, given: Any) -> tuple[str, list[Fault]]:
    """Return the CRS that the value states, or else the one given with it."""
    urls, faults = [], []
    for field, value in (("area", stated), ("area_crs", given)):
        if value is not None:
            try:
                urls.append(crs_url(value))
            except ValueError as error:
                remedy = "Give one such as EPSG:4326 or EPSG:32633" if field == "area_crs" else _REPROJECT
                faults.append(Fault(field, f"its CRS cannot be used: {error}", remedy))
    if len(urls) == 2 and urls[0] != urls[1] and not all(map(is_lon_lat, urls)):
        faults.append(
            Fault("area_crs", f"the area says that its CRS is {urls[0]}, not {urls[1]}", "Leave it out")
        )
    return (urls or [CRS84])[0], faults


def _faults(geometry: BaseGeometry, *, lon_lat: bool, known: bool) -> Iterator[Fault]:
    """Name what is wrong before it comes to the course of the outline."""
    import numpy as np
    import shapely

    if geometry.is_empty:
        yield Fault("area", "is empty", "Give a polygon")
        return
    kinds = {part.geom_type for part in shapely.get_parts(shapely.get_parts(geometry))}
    if kinds != {"Polygon"}:
        others = ", ".join(sorted(kinds - {"Polygon"}))
        yield Fault(
            "area",
            f"has a {others} in it",
            "Give polygons only; shapely's buffer makes one of a place or a line",
        )
        return
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        yield Fault("area", "has coordinates that are not numbers", "Take them out")
        return
    if not known:
        return
    west, south, east, north = geometry.bounds
    extent = f"reaches from {west:g} {south:g} to {east:g} {north:g}"
    lon, lat = max(abs(west), abs(east)), max(abs(south), abs(north))
    if lon_lat and (lat > 90 or lon > 360 or east - west > 360):
        swapped = lat > 90 and lat <= 180 and lon <= 90
        yield Fault(
            "area",
            f"{extent}, beyond longitude and latitude",
            "Its axes seem to be swapped: longitude comes first"
            if swapped
            else "Say in which CRS it is, or reproject it to longitude and latitude",
        )
    elif not lon_lat and lon <= 180 and lat <= 90:
        yield Fault(
            "area",
            f"{extent}: degrees, while its CRS counts metres",
            "Give its CRS as EPSG:4326, or reproject it",
        )


def _invalid(pieces: list[list[BaseGeometry]], *, repair: bool) -> list[Fault]:
    import shapely

    remedy = "Mend it, or have it repaired"
    return [
        Fault(
            "area", "is not valid: " + re.sub(r"\[(.*)\]", r" at \1", shapely.is_valid_reason(piece)), remedy
        )
        for rings in pieces
        for piece in rings
        if not repair and not piece.is_valid
    ]


def _repaired(piece: BaseGeometry) -> BaseGeometry:
    import shapely

    # What is enclosed twice stays inside, and spikes go.
    return piece if piece.is_valid else shapely.make_valid(piece, method="structure", keep_collapsed=False)


def _oriented(geometry: Polygon | MultiPolygon) -> Polygon | MultiPolygon:
    import shapely

    return shapely.orient_polygons(geometry)
