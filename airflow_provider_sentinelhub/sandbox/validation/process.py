"""What to render, in batch requests and in the Process API: area, collections, responses."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import shapely
from shapely.geometry import shape

from airflow_provider_sentinelhub.sandbox.definition import ZARR, area
from airflow_provider_sentinelhub.sandbox.grids import parse_crs
from airflow_provider_sentinelhub.sandbox.scenes import COLLECTIONS
from airflow_provider_sentinelhub.sandbox.steering import is_number
from airflow_provider_sentinelhub.sandbox.validation.findings import Findings, Json

if TYPE_CHECKING:
    from collections.abc import Sequence

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
NO_EVALSCRIPT = "Missing or empty evalscript."

_MOSAICKING_ORDERS = ("mostRecent", "leastRecent", "leastCC")
_INTERPOLATIONS = ("NEAREST", "BILINEAR", "BICUBIC")


class ProcessFindings(Findings):
    """The findings about what to render, of a batch request or the Process API; fills in its defaults.

    :param at: keys that lead there
    :param formats: MIME types a response may have
    :param default: the MIME type of the one response where none is given
    """

    def __init__(self, at: tuple[str, ...], formats: Sequence[str], *, default: str) -> None:
        super().__init__()
        self._at, self._formats, self._default = at, formats, default

    def check(self, process: Json, *, bounds_needed: bool) -> None:
        """Look at all of it."""
        at = self._at
        script = process.get("evalscript")
        if not isinstance(script, str) or not script.strip():
            self.fail((*at, "evalscript"), NO_EVALSCRIPT)
        source = self.child(process, "input", at)
        if source is not None:
            if bounds_needed or "bounds" in source:
                self._bounds(source, (*at, "input"))
            self._data(source, (*at, "input"))
        output = self.child(process, "output", at)
        if output is not None:
            self._responses(output, (*at, "output"))

    def _bounds(self, source: Json, at: tuple[str, ...]) -> None:
        bounds = self.child(source, "bounds", at)
        if bounds is None:
            return
        at = (*at, "bounds")
        before = len(self.violations)
        if "bbox" not in bounds and "geometry" not in bounds:
            self.fail(at, "bbox or geometry must be given")
        if "bbox" in bounds:
            box = bounds["bbox"]
            if not (isinstance(box, list) and len(box) == 4 and all(map(is_number, box))):
                self.fail((*at, "bbox"), "must be four numbers: min x, min y, max x, max y")
            elif box[0] >= box[2] or box[1] >= box[3]:
                self.fail((*at, "bbox"), "must have an area")
        if "geometry" in bounds:
            self._geometry(bounds["geometry"], (*at, "geometry"))
        properties = bounds.setdefault("properties", {})
        if not isinstance(properties, dict):
            self.fail((*at, "properties"), "must be an object")
            return
        crs = properties.setdefault("crs", CRS84)
        try:
            parse_crs(crs)
        except (ValueError, TypeError, AttributeError):
            self.fail((*at, "properties", "crs"), "is not a supported coordinate reference system")
        if len(self.violations) == before:
            self._area(bounds, at)

    def _geometry(self, geometry: object, at: tuple[str, ...]) -> None:
        if not isinstance(geometry, dict) or geometry.get("type") not in ("Polygon", "MultiPolygon"):
            self.fail(at, "must be a GeoJSON Polygon or MultiPolygon")
            return
        depth = 2 if geometry["type"] == "Polygon" else 3
        if not _is_nested_positions(geometry.get("coordinates"), depth):
            self.fail(at, "coordinates must be rings of at least four positions of two numbers")
            return
        try:
            parsed = shape(geometry)
        except (ValueError, TypeError, shapely.errors.ShapelyError):
            self.fail(at, "is not a valid geometry")
            return
        if not parsed.is_valid:
            self.fail(at, f"is not a valid geometry: {shapely.is_valid_reason(parsed)}")
        elif parsed.area <= 0:
            self.fail(at, "must have an area")

    def _area(self, bounds: Json, at: tuple[str, ...]) -> None:
        """Check what shows only on the globe: that the area lies there, and that box and geometry meet."""
        try:
            on_earth = area(bounds)
            usable = on_earth.area > 0 and all(map(is_number, on_earth.bounds))
        except (ValueError, shapely.errors.ShapelyError):
            usable = False
        if not usable:
            self.fail(at, "does not describe an area inside its coordinate reference system")
            return
        west, south, east, north = on_earth.bounds
        # An area may pass 180 degrees in either direction.
        if west < -360 or east > 360 or south < -90 or north > 90:
            self.fail(at, "must lie between -90 and 90 degrees north and once around the globe")

    def _data(self, source: Json, at: tuple[str, ...]) -> None:
        data = source.get("data")
        at = (*at, "data")
        if not isinstance(data, list) or not data or not all(isinstance(item, dict) for item in data):
            self.fail(at, "must be a list of at least one collection")
            return
        ids = [item["id"] for item in data if "id" in item]
        if any(ids.count(identifier) > 1 for identifier in ids):
            self.fail(at, "ids must be unique")
        for index, item in enumerate(data):
            self._collection(item, (*at[:-1], f"data[{index}]"))

    def _collection(self, item: Json, at: tuple[str, ...]) -> None:
        collection = item.get("type")
        if not isinstance(collection, str):
            self.fail((*at, "type"), "must be given")
        elif collection not in COLLECTIONS:
            self.fail((*at, "type"), f"the sandbox has scenes of {' and '.join(COLLECTIONS)} only")
        if not isinstance(item.get("id", ""), str):
            self.fail((*at, "id"), "must be a text")
        filters = self.child(item, "dataFilter", at, default={})
        if filters is not None:
            inside = (*at, "dataFilter")
            self._time_range(filters, inside)
            self.choice(filters, "mosaickingOrder", inside, _MOSAICKING_ORDERS)
            cover = filters.setdefault("maxCloudCoverage", 100.0)
            if not is_number(cover) or not 0 <= cover <= 100:
                self.fail((*inside, "maxCloudCoverage"), "must be a number from 0 to 100")
        processing = self.child(item, "processing", at, default={})
        if processing is not None:
            for key in ("upsampling", "downsampling"):
                self.choice(processing, key, (*at, "processing"), _INTERPOLATIONS)

    def _time_range(self, filters: Json, at: tuple[str, ...]) -> None:
        wanted = "from and to must be given as ISO 8601 date-times with a time zone"
        if "timeRange" not in filters:
            return  # everything there is (assumed; the published document does not require it)
        span = filters["timeRange"]
        at = (*at, "timeRange")
        if not isinstance(span, dict):
            self.fail(at, wanted)
            return
        start, end = _moment(span.get("from")), _moment(span.get("to"))
        if start is None or end is None:
            self.fail(at, wanted)
        elif start > end:
            self.fail(at, "from must not be later than to")

    def _responses(self, output: Json, at: tuple[str, ...]) -> None:
        at = (*at, "responses")
        responses = output.setdefault(
            "responses", [{"identifier": "default", "format": {"type": self._default}}]
        )
        if (
            not isinstance(responses, list)
            or not responses
            or not all(isinstance(r, dict) for r in responses)
        ):
            self.fail(at, "must be a list of at least one response")
            return
        seen = set()
        for index, response in enumerate(responses):
            here = (*at[:-1], f"responses[{index}]")
            identifier = response.setdefault("identifier", "default")
            if not isinstance(identifier, str) or not identifier or "/" in identifier:
                self.fail((*here, "identifier"), "must be the id of an output")
            elif identifier in seen:
                self.fail((*here, "identifier"), f"'{identifier}' is given more than once")
            else:
                seen.add(identifier)
            form = response.get("format")
            mime = form.get("type") if isinstance(form, dict) else None
            if mime not in self._formats:
                self.fail((*here, "format", "type"), f"must be one of {', '.join(self._formats)}")
            elif mime != ZARR and (identifier == "userdata") != (mime == "application/json"):
                self.fail((*here, "format", "type"), "application/json is for userdata, and userdata for it")


def _is_nested_positions(value: object, depth: int) -> bool:
    """Tell whether a value is ``depth`` levels of lists around [x, y] positions, four or more in a ring."""
    if not isinstance(value, list) or not value:
        return False
    if depth > 1:
        return all(_is_nested_positions(item, depth - 1) for item in value)
    return len(value) >= 4 and all(
        isinstance(position, list) and len(position) == 2 and all(map(is_number, position))
        for position in value
    )


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str) or not value.isascii():
        return None
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00").replace("z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
