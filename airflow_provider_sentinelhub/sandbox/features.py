"""The tiles that a GeoPackage asks for: one for each feature that meets the area of interest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely import affinity

from airflow_provider_sentinelhub.sandbox.geopackage import GeoPackage, GeoPackageError, Rows, opened
from airflow_provider_sentinelhub.sandbox.grids import project
from airflow_provider_sentinelhub.sandbox.records import TileRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

MAX_SIDE = 3500  # pixels (documented)
_WGS84 = 4326


def feature_tiles(
    path: Path, defaults: Mapping[str, float], area: BaseGeometry | None, most: int
) -> Iterator[tuple[TileRow, bytes | None]]:
    """Yield a tile for each feature of a GeoPackage, with the WKB of its outline.

    There is no outline where it is the tile's bounds. All features are checked, those too that `area` (in
    longitude and latitude; None: everything) does not meet. Ids are the numbers of the features in the file,
    from 1 (assumed: those of the file need not be unique among layers).

    :raises GeoPackageError: something is wrong with the file, or more than `most` features are left
    """
    around = None if area is None else _around(area)
    ordinal = number = 0
    with opened(path) as package:
        for epsg, rows in _all_rows(package):
            places = _places(epsg, rows)
            wanted = np.ones(len(places), bool) if around is None else shapely.intersects(around, places)
            bounds = shapely.bounds(rows.geometries)
            full = shapely.equals(rows.geometries, shapely.box(*bounds.T))
            for i, identifier in enumerate(rows.identifiers):
                number += 1
                box = tuple(bounds[i].tolist())
                width, height = _size(identifier, rows.sizes[i], defaults, box)
                if not wanted[i]:
                    continue
                if ordinal == most:
                    raise GeoPackageError(f"The sandbox processes at most {most} features of a GeoPackage.")
                tile = TileRow(ordinal, number, identifier, epsg, box, width, height)
                yield tile, None if full[i] else shapely.to_wkb(rows.geometries[i])
                ordinal += 1


def _all_rows(package: GeoPackage) -> Iterator[tuple[int, Rows]]:
    for layer in package.layers:
        for rows in package.rows(layer):
            yield layer.epsg, rows


def _around(area: BaseGeometry) -> BaseGeometry:
    """Return an area that may pass 180 degrees on all sides of the globe where it may be met."""
    around = shapely.union_all([affinity.translate(area, turn) for turn in (-360, 0, 360)])
    shapely.prepare(around)
    return around


def _places(epsg: int, rows: Rows) -> NDArray[Any]:
    """Return the geometries in longitude and latitude, where all of them must have a place."""
    places = []
    for identifier, geometry in zip(rows.identifiers, rows.geometries, strict=True):
        try:
            place = project(geometry, epsg, _WGS84)
        except ValueError:
            place = None
        if place is None or not _on_earth(*place.bounds):
            raise GeoPackageError(
                f"The geometry of feature '{identifier}' lies outside the area of EPSG:{epsg}."
            )
        places.append(place)
    return np.array(places, object)


def _on_earth(west: float, south: float, east: float, north: float) -> bool:
    return west >= -360 and east <= 360 and south >= -90 and north <= 90


def _size(
    identifier: str,
    own: tuple[object, object, object],
    defaults: Mapping[str, float],
    bounds: tuple[float, ...],
) -> tuple[int, int]:
    """Return width and height in pixels of a feature's bounding box.

    Width and height win over the resolution (documented). Defaults fill in what the feature lacks: they do
    not replace its own resolution, and sides are rounded to whole pixels (both assumed).
    """
    width, height, resolution = (_number(identifier, *pair) for pair in zip(_NAMES, own, strict=True))
    if width is None or height is None:
        if resolution is None:
            width = defaults.get("width") if width is None else width
            height = defaults.get("height") if height is None else height
            resolution = defaults.get("resolution")
        if (width is None or height is None) and resolution is not None:
            width = max(1, round((bounds[2] - bounds[0]) / resolution))
            height = max(1, round((bounds[3] - bounds[1]) / resolution))
    if width is None or height is None:
        raise GeoPackageError(
            f"Feature '{identifier}' has neither width and height nor a resolution, and there is no default."
        )
    if max(width, height) > MAX_SIDE:
        raise GeoPackageError(
            f"Feature '{identifier}' is too large: {width:g} x {height:g} pixels;"
            f" at most {MAX_SIDE} x {MAX_SIDE} are allowed."
        )
    return int(width), int(height)


_NAMES = ("width", "height", "resolution")


def _number(identifier: str, name: str, value: object) -> float | None:
    """Return a size; ``None`` where it is missing."""
    if value is None:
        return None
    usable = isinstance(value, (int, float)) and 0 < value < float("inf")
    if not usable or (name != "resolution" and value != int(value)):  # type: ignore[call-overload]
        wanted = "a number above 0" if name == "resolution" else "a whole number above 0"
        raise GeoPackageError(f"The {name} of feature '{identifier}' must be {wanted}, not {value}.")
    return value  # type: ignore[return-value]
