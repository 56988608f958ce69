"""A search, read and checked; the texts of the refusals are assumed."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import shapely
from shapely import affinity
from shapely.geometry import shape

from airflow_provider_sentinelhub.sandbox.catalog.fields import Fields
from airflow_provider_sentinelhub.sandbox.catalog.filters import parsed_filter
from airflow_provider_sentinelhub.sandbox.errors import bad_payload, not_found
from airflow_provider_sentinelhub.sandbox.scenes import COLLECTIONS, FIRST_DAY
from airflow_provider_sentinelhub.sandbox.steering import is_number, is_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shapely.geometry.base import BaseGeometry

DISTINCT = ("date",)  # of Sentinel-2 (documented)

_WORLD = (-180.0, -90.0, 180.0, 90.0)
_LAST_DAY = datetime(2100, 1, 1, tzinfo=timezone.utc)  # the made-up satellites go on into the future
_EARTH_RADIUS = 6371.0
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)")
_LISTS = ("collections", "ids")


@dataclass(frozen=True)
class Query:
    """What to search for: times in UTC, both included; the area in degrees, longitude first."""

    collections: tuple[str, ...]
    start: datetime
    end: datetime
    area_wkb: bytes | None = None
    ids: tuple[str, ...] | None = None
    filter: str | None = None  # CQL2 in JSON
    distinct: str | None = None
    limit: int = 10
    offset: int = 0
    fields: Fields = field(default_factory=Fields)

    @classmethod
    def read(cls, body: object) -> Query:
        """Read the body of a POST; raises 400, or 404 for an unknown collection (seen in the wild)."""
        if not isinstance(body, dict):
            raise bad_payload("The request body must be a JSON object.")
        for name in _LISTS:
            value = body.get(name, [])
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise bad_payload(f"{name} must be a list of texts.")
        if not body.get("collections"):
            raise bad_payload("collections must be given.")
        if any(name not in COLLECTIONS for name in body["collections"]):
            raise not_found("Collection not found.")
        start, end = _interval(body.get("datetime"))
        distinct = body.get("distinct")
        if distinct is not None and distinct not in DISTINCT:
            raise bad_payload(f"distinct must be one of {', '.join(DISTINCT)}.")
        limit, offset = body.get("limit", 10), body.get("next", 0)
        if not is_whole(limit) or not 1 <= limit <= 100:
            raise bad_payload("limit must be a whole number from 1 to 100.")
        if not is_whole(offset) or not 0 <= offset < 2**31:
            raise bad_payload("next must be a whole number, 0 or more.")
        area = _area(body.get("bbox"), body.get("intersects"))
        return cls(
            collections=tuple(dict.fromkeys(body["collections"])),
            start=start,
            end=end,
            area_wkb=None if area is None else area.wkb,
            ids=tuple(body["ids"]) if body.get("ids") else None,
            filter=parsed_filter(body["filter"], body.get("filter-lang")) if body.get("filter") else None,
            distinct=distinct,
            limit=int(limit),
            offset=int(offset),
            fields=_fields(body.get("fields")),
        )

    @classmethod
    def read_url(cls, parameters: Mapping[str, str]) -> Query:
        """Read the query string of a GET; see `read`."""
        body: dict[str, Any] = dict(parameters)
        for name in _LISTS:
            if name in body:
                body[name] = body[name].split(",")
        try:
            body |= {name: int(body[name]) for name in ("limit", "next") if name in body}
            if "bbox" in body:
                body["bbox"] = [float(number) for number in body["bbox"].split(",")]
            if "intersects" in body:
                body["intersects"] = json.loads(body["intersects"])
        except (ValueError, RecursionError) as error:
            raise bad_payload(f"A parameter cannot be read: {error}") from error
        if "fields" in body:
            names = [name for name in body["fields"].split(",") if name]
            exclude = [name[1:] for name in names if name.startswith("-")]
            include = [name.removeprefix("+") for name in names if not name.startswith("-")]
            body["fields"] = {"include": include, "exclude": exclude}
        return cls.read(body)

    @property
    def area(self) -> BaseGeometry:
        """The area, the world if none was given."""
        return shapely.box(*_WORLD) if self.area_wkb is None else shapely.from_wkb(self.area_wkb)

    @property
    def square_kilometres(self) -> float:
        """Of the area's bounding box."""
        west, south, east, north = self.area.bounds
        belt = math.sin(math.radians(north)) - math.sin(math.radians(south))
        return _EARTH_RADIUS**2 * math.radians(east - west) * belt

    @property
    def days(self) -> float:
        """How long the time span is."""
        return (self.end - self.start).total_seconds() / 86_400


def _interval(text: object) -> tuple[datetime, datetime]:
    """Read a date-time, or an interval of two; ``..`` is an open end: until now, since the first scene."""
    wanted = "datetime must be an RFC 3339 date-time or an interval of two."
    if not isinstance(text, str):
        raise bad_payload(wanted)
    ends = text.split("/")
    if len(ends) > 2:
        raise bad_payload(wanted)
    interval = len(ends) == 2
    start, end = (
        None if interval and one in ("..", "") else _moment(one, wanted) for one in (ends[0], ends[-1])
    )
    if start is None and end is None:
        raise bad_payload(wanted)
    start, end = start or FIRST_DAY, end or datetime.now(timezone.utc)
    if start > end:
        raise bad_payload("datetime: the interval ends before it starts.")
    first, last = FIRST_DAY, _LAST_DAY
    return min(max(start, first), last), min(max(end, first), last)


def _moment(text: str, wanted: str) -> datetime:
    if not _MOMENT.fullmatch(text):
        raise bad_payload(wanted)
    # Python 3.10 reads neither a Z nor fractions of other than three or six digits.
    text = re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", text.upper().replace("Z", "+00:00"))
    try:
        return datetime.fromisoformat(text).astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise bad_payload(wanted) from error


def _area(bbox: object, intersects: Any) -> BaseGeometry | None:
    if bbox is not None and intersects is not None:
        raise bad_payload("Only one of bbox and intersects may be given.")
    if bbox is not None:
        return _box(bbox)
    if intersects is None:
        return None
    try:
        geometry = shape(intersects)
        usable = not geometry.is_empty and geometry.is_valid
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, shapely.errors.ShapelyError):
        usable = False
    if not usable or not _on_earth(geometry.bounds):
        raise bad_payload("intersects must be a valid GeoJSON geometry in longitude and latitude.")
    return shapely.force_2d(geometry)


def _box(bbox: object) -> BaseGeometry:
    wanted = "bbox must be four or six numbers: west, south, east, north in degrees."
    if not isinstance(bbox, list) or len(bbox) not in (4, 6) or not all(map(is_number, bbox)):
        raise bad_payload(wanted)
    west, south = bbox[:2]
    east, north = bbox[2:] if len(bbox) == 4 else bbox[3:5]
    if south > north or not _on_earth((west, south, east, north)):
        raise bad_payload(wanted)
    if west <= east:
        return shapely.box(west, south, east, north)
    # Across 180 degrees.
    across = shapely.box(west, south, east + 360, north)
    world = shapely.box(*_WORLD)
    return shapely.union_all([world.intersection(affinity.translate(across, turn)) for turn in (-360, 0)])


def _on_earth(bounds: tuple[float, ...]) -> bool:
    return all(
        low <= value <= high
        for value, low, high in zip(bounds, (-180, -90, -180, -90), (180, 90, 180, 90), strict=True)
    )


def _fields(raw: object) -> Fields:
    if raw is None:
        return Fields()
    lists = [raw.get(name) or [] for name in ("include", "exclude")] if isinstance(raw, dict) else [None]
    if not all(isinstance(names, list) and all(isinstance(one, str) for one in names) for names in lists):
        raise bad_payload("fields must be an object with lists of texts, include and exclude.")
    include, exclude = lists
    return Fields(given=True, include=tuple(include or ()), exclude=tuple(exclude or ()))
