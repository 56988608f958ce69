"""Areas of interest: GeoJSON in the author's hands, ``bounds`` on the wire."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG = re.compile(r"(?:http://www\.opengis\.net/def/crs/EPSG/0/|EPSG:)(\d{4,5})", re.IGNORECASE)
_REMEDY = "Give a GeoJSON Polygon or MultiPolygon in longitude and latitude"


@dataclass(frozen=True)
class Area:
    """A GeoJSON Polygon or MultiPolygon, or a box of four numbers, in a CRS in the service's spelling."""

    shape: Mapping[str, Any] | tuple[float, ...]
    crs: str = _CRS84

    @classmethod
    def read(
        cls,
        value: Any,
        *,
        crs: Any = None,
        invalid: Literal["refuse", "repair"] = "refuse",
        tolerance_m: float | None = None,
        max_vertices: int = 1500,  # noqa: ARG003
        opener: Callable[[str], bytes] | None = None,  # noqa: ARG003
    ) -> Area:
        """Read GeoJSON, its text or file, or a box; `DefinitionError` names what is wrong with it."""
        faults = [
            Fault(name, "is not offered yet", "Leave it out")
            for name, given in (("invalid_area", invalid != "refuse"), ("area_tolerance", tolerance_m))
            if given
        ]
        found, problem = _read(value)
        where = _crs_url(crs)
        if where is None:
            faults.append(Fault("area_crs", f"{crs!r} is not known", "Give it as EPSG:<number>, or CRS84"))
        if problem is None and not isinstance(found, tuple) and where == _CRS84:
            problem = _beyond(found)
        if problem is not None:
            faults.append(Fault("area", *problem))
        if faults:
            raise DefinitionError(faults)
        return cls(found, where or _CRS84)

    def to_wire(self) -> dict[str, Any]:
        """Return the API's ``bounds``."""
        shape = {"bbox": list(self.shape)} if isinstance(self.shape, tuple) else {"geometry": self.shape}
        return {**shape, "properties": {"crs": self.crs}}


def _crs_url(crs: Any) -> str | None:
    if crs is None or crs in ("CRS84", _CRS84):
        return _CRS84
    found = _EPSG.fullmatch(str(crs))
    return f"http://www.opengis.net/def/crs/EPSG/0/{found[1]}" if found else None


def _read(value: Any) -> tuple[Any, tuple[str, str] | None]:
    """Return the shape that a value holds, or what is wrong with it and the remedy."""
    from shapely import is_valid_reason
    from shapely.errors import ShapelyError
    from shapely.geometry import shape

    try:
        if isinstance(value, str) and value.endswith("json"):
            value = Path(value).read_text(encoding="utf-8")
        if isinstance(value, str):
            value = json.loads(value)
        if isinstance(value, list | tuple) and len(value) == 4:
            return tuple(map(float, value)), None
        geometry = value.get("geometry") if value.get("type") == "Feature" else value
        kind = geometry["type"]
        found = shape(geometry)
    except (TypeError, KeyError, ValueError, AttributeError, IndexError, OSError, ShapelyError) as error:
        return None, (f"is not GeoJSON ({type(error).__name__})", _REMEDY)
    if kind not in ("Polygon", "MultiPolygon"):
        return None, (f"is a {kind}", _REMEDY)
    if found.is_empty:
        return None, ("is empty", _REMEDY)
    if not found.is_valid:
        problem = f"is not a valid {kind}: {is_valid_reason(found)}"
        return None, (problem, "Mend it, with shapely.make_valid")
    return geometry, None


def _beyond(geometry: Any) -> tuple[str, str] | None:
    from shapely.geometry import shape

    west, south, east, north = shape(geometry).bounds
    if max(abs(west), abs(east)) <= 180 and max(abs(south), abs(north)) <= 90:
        return None
    return (
        f"reaches from {west:g} {south:g} to {east:g} {north:g}, beyond longitude and latitude",
        "Reproject it to CRS84 (EPSG:4326 with longitude first)",
    )
