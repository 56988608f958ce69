"""The forms in which authors have areas. Nothing is judged here but whether it can be read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.areas import files
from airflow_provider_sentinelhub.client.areas.faults import unreadable
from airflow_provider_sentinelhub.client.opening import content_at, is_url

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from airflow_provider_sentinelhub.client.opening import Opener

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_BOX = re.compile(rf"[\[(]?\s*({_NUMBER})" + rf"\s*[,\s]\s*({_NUMBER})" * 3 + r"\s*[\])]?")
_WKT = re.compile(
    r"(?:SRID\s*=\s*(\d+)\s*;\s*)?((?:POINT|LINESTRING|LINEARRING|POLYGON|MULTI\w+|GEOMETRYCOLLECTION)\b.*)",
    re.I | re.S,
)


@dataclass(frozen=True)
class Shapes:
    """What was found in a value: geometries, each with its properties, in ``crs`` (None: it does not say).

    ``spherical`` says that an edge of more than 180 degrees goes the short way; ``rectangle`` that it was
    given as a bounding box.
    """

    geometries: Sequence[BaseGeometry]
    properties: Sequence[Mapping[str, Any]] = field(default=())
    crs: Any = None
    spherical: bool = False
    rectangle: bool = False


def read(value: Any, opener: Opener | None = None) -> Shapes:
    """Read a value in any form that `Area.read` names; `DefinitionError` if it cannot be."""
    import numpy as np
    from shapely.errors import ShapelyError

    try:
        # What is not a number is named by those who judge.
        with np.errstate(invalid="ignore"):
            return _read(value, opener)
    except (TypeError, KeyError, ValueError, AttributeError, IndexError, ShapelyError) as error:
        raise unreadable(f"cannot be read ({type(error).__name__}: {str(error)[:200]})") from error


def _read(value: Any, opener: Opener | None) -> Shapes:
    from shapely.geometry.base import BaseGeometry

    if isinstance(value, BaseGeometry):
        return Shapes([value])
    if isinstance(value, Mapping):
        return _of_mapping(value)
    if isinstance(value, str | os.PathLike):
        text = os.fspath(value).strip()
        return _of_text(text) or _of_place(text, opener)
    if hasattr(value, "geometry") and hasattr(value, "crs"):
        return _of_object(value)
    if hasattr(value, "tolist"):  # NumPy's, such as total_bounds
        value = value.tolist()
    if isinstance(value, Sequence) and len(value) == 4 and not isinstance(value, bytes):
        return _of_box([float(number) for number in value])
    if hasattr(value, "__geo_interface__"):
        return _of_mapping(value.__geo_interface__)
    raise unreadable(f"is a {type(value).__name__}, which is not an area")


def _of_mapping(value: Mapping[str, Any]) -> Shapes:
    """Read GeoJSON, or the API's ``bounds``."""
    if "type" not in value and ("bbox" in value or "geometry" in value):
        if "bbox" in value and "geometry" in value:
            raise unreadable("has both a bbox and a geometry", "Give one of them")
        found = _of_box(value["bbox"]) if "bbox" in value else _of_mapping(value["geometry"])
        return replace(found, crs=(value.get("properties") or {}).get("crs", found.crs))
    kind = value["type"]
    items = [value] if kind == "Feature" else [{"geometry": value}]
    if kind == "FeatureCollection":
        items = value["features"]
    items = [item for item in items if item.get("geometry")]
    return Shapes(
        [_shape(item["geometry"]) for item in items],
        [_properties(item) for item in items],
        crs=_legacy_crs(value),
        spherical=True,
    )


def _shape(geometry: Mapping[str, Any]) -> BaseGeometry:
    from shapely.geometry import shape

    if geometry["type"] != "GeometryCollection" and "coordinates" not in geometry:
        raise ValueError("GeoJSON without coordinates")
    return shape(dict(geometry))


def _properties(feature: Mapping[str, Any]) -> dict[str, Any]:
    named = {"id": feature["id"]} if "id" in feature else {}
    return {**named, **(feature.get("properties") or {})}


def _legacy_crs(value: Mapping[str, Any]) -> str | None:
    """Return what GeoJSON of before 2016 says of its CRS. Its coordinates are x, y, whatever the CRS says."""
    crs = value.get("crs")
    if crs is None:
        return None
    if isinstance(crs, str):
        return crs
    name = (crs.get("properties") or {}).get("name")
    if not isinstance(name, str):
        raise ValueError("its crs member names no CRS")
    return name


def _of_text(text: str) -> Shapes | None:
    """Read GeoJSON, WKT or a box; None if it looks like none of them."""
    import shapely

    text = text.lstrip("\ufeff").strip()
    if box := _BOX.fullmatch(text):
        return _of_box([float(number) for number in box.groups()])
    if text.startswith(("{", "[")):
        return _read(json.loads(text), None)
    if known := _WKT.fullmatch(text):
        return Shapes([shapely.from_wkt(known[2])], crs=known[1])
    return None


def _of_box(numbers: Any) -> Shapes:
    import shapely

    west, south, east, north = (float(number) for number in numbers)
    # Only in degrees can the eastern edge have the lower number: across the antimeridian.
    if south > north or (west > east and max(west, -east, north, -south) > 180):
        raise unreadable(
            f"is a box from {west:g} {south:g} to {east:g} {north:g}", "Give minx, miny, maxx, maxy"
        )
    if west > east:
        east += 360
    return Shapes([shapely.box(west, south, east, north)], rectangle=True)


def _of_object(value: Any) -> Shapes:
    """Read areas, and what sentinelhub and geopandas have for one, by their shape."""
    from shapely.geometry.base import BaseGeometry

    if isinstance(value.geometry, BaseGeometry):
        rectangle = bool(getattr(value, "rectangle", hasattr(value, "min_x")))
        return Shapes([value.geometry], crs=value.crs, rectangle=rectangle)
    rows: list[dict[str, Any]] = [{}] * len(value)
    if value.geometry is not value and hasattr(value, "columns"):
        columns = [name for name in value.columns if name != value.geometry.name]
        # Of no columns, older pandas makes no records at all.
        rows = value[columns].to_dict("records") if columns else rows
    pairs = [(shape, row) for shape, row in zip(value.geometry, rows, strict=True) if shape is not None]
    return Shapes([shape for shape, _ in pairs], [row for _, row in pairs], crs=value.crs)


def _of_place(place: str, opener: Opener | None) -> Shapes:
    """Read a file, or what is behind the URL of an object."""
    content: bytes | None = None
    if is_url(place):
        content = content_at(place, opener, "area", "Give the file or the area itself")
    elif not files.exists(place):
        raise unreadable(f"{place[:80]!r} is neither an area nor a file that is there")
    kind = PurePosixPath(place).suffix.lower()
    if kind not in (".geojson", ".json", ".wkt", ".txt"):
        return _of_object(
            files.read_file(place, kind) if content is None else files.read_content(content, kind)
        )
    found = _of_text((Path(place).read_bytes() if content is None else content).decode())
    if found is None:
        raise unreadable(f"{place[:200]} holds neither GeoJSON, WKT nor a box")
    return found
