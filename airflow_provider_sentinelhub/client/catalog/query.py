"""What to search the Catalog for, in the author's words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.catalog.scenes import CLOUD_COVER
from airflow_provider_sentinelhub.client.definition.area import area_of
from airflow_provider_sentinelhub.client.definition.collections import resolve
from airflow_provider_sentinelhub.client.definition.parts import structured
from airflow_provider_sentinelhub.client.definition.rules import Number
from airflow_provider_sentinelhub.client.definition.times import time_range
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sentinelhub.client.areas import Area

SUBJECT = "search"
PAGE = 100  # scenes, the service's most


@dataclass(frozen=True, kw_only=True)
class SceneQuery:
    """The scenes of a collection over an area in a time range, with few enough clouds.

    ``area`` is whatever `Area.read` takes, with ``area_crs``, ``invalid_area`` and ``area_tolerance``
    (metres) passed to it. ``time_range`` is two dates or date-times, both included (dates mean whole days,
    times without a zone are UTC), or one text ``first/last``. ``collection`` is the service's type or a usual
    name. ``max_cloud_coverage`` is a percentage, itself included. ``properties`` names what is wanted of each
    scene besides its date-time and cloud cover, such as ``platform``.
    """

    area: Any
    time_range: Any
    collection: str = "sentinel-2-l2a"
    max_cloud_coverage: float | None = None
    properties: Sequence[str] = ()
    area_crs: str | None = None
    invalid_area: str = "refuse"
    area_tolerance: float | None = None

    def faults(self) -> list[Fault]:
        """Name each thing that is wrong with the query."""
        return self._built[2]

    def to_wire(self) -> dict[str, Any]:
        """Return the body of a search, which asks for no more of each scene than is needed.

        Raises `DefinitionError` that names everything that is wrong.
        """
        return self._sound()[0]

    @property
    def footprint(self) -> Area:
        """The area in lon/lat; `DefinitionError` as of `to_wire`."""
        return self._sound()[1]

    def _sound(self) -> tuple[dict[str, Any], Area]:
        wire, area, faults = self._built
        if faults or area is None:
            raise DefinitionError(faults, SUBJECT)
        return wire, area

    @cached_property
    def _built(self) -> tuple[dict[str, Any], Area | None, list[Fault]]:
        faults: list[Fault] = []
        collection = resolve(self.collection, "collection", faults)
        area = None
        if self.area is None:
            remedy = "Give one, such as a GeoJSON polygon in longitude and latitude"
            faults.append(Fault("area", "is missing", remedy))
        else:
            area = area_of(
                self.area,
                faults,
                area_crs=self.area_crs,
                invalid_area=self.invalid_area,
                area_tolerance=self.area_tolerance,
            )
        if area:
            try:
                area = area.in_lon_lat()
            except DefinitionError as error:
                faults.extend(error.faults)
        times = structured(self.time_range, "time_range", "time_range", faults)
        span = time_range(times, "time_range", faults) or {"from": "", "to": ""}
        names = ("datetime", CLOUD_COVER, *self.properties)
        wire: dict[str, Any] = {
            "collections": [collection.type if collection else ""],
            "datetime": f"{span['from']}/{span['to']}",
            "limit": PAGE,
            "fields": {
                "include": ["id", "geometry", *(f"properties.{name}" for name in names)],
                "exclude": ["links", "assets", "bbox"],
            },
        }
        if self.max_cloud_coverage is not None:
            percent = Number(0, 100)(self.max_cloud_coverage, "max_cloud_coverage", faults)
            if collection and not collection.clouds:
                problem = f"{collection.type} cannot be filtered by clouds"
                faults.append(Fault("max_cloud_coverage", problem, "Leave it out"))
            wire["filter"] = {"op": "<=", "args": [{"property": CLOUD_COVER}, percent]}
            wire["filter-lang"] = "cql2-json"
        if area:
            bounds = area.to_wire()
            wire |= {"bbox": bounds["bbox"]} if "bbox" in bounds else {"intersects": bounds["geometry"]}
        return wire, area, faults
