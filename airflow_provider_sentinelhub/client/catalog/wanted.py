"""The scenes that somebody waits for, and whether those that there are will do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.areas import Area
from airflow_provider_sentinelhub.client.catalog.query import SUBJECT, SceneQuery
from airflow_provider_sentinelhub.client.definition.rules import Number
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_sentinelhub.client.catalog.api import CatalogClient
    from airflow_provider_sentinelhub.client.catalog.scenes import Scene

MAX_IDS = 100


@dataclass(frozen=True)
class Found:
    """What there is: how many scenes, of which dates, and how much of the area they cover.

    ``newest`` is a date-time, ``dates`` are days, both in UTC as ISO text; ``coverage`` is in percent,
    rounded to a hundredth. ``ids`` are those of the newest scenes, at most 100.
    """

    count: int
    newest: str | None
    coverage: float
    dates: Sequence[str]
    ids: Sequence[str]

    def to_record(self) -> dict[str, Any]:
        """Return it as a dict that JSON can hold."""
        return asdict(self)

    def __str__(self) -> str:
        if not self.count:
            return "no scenes"
        return f"{self.count} scenes, the newest of {self.newest}, on {self.coverage:g} % of the area"


@dataclass(frozen=True, kw_only=True)
class WantedScenes:
    """Enough scenes over an area: conditions that hold all at once for the scenes of a `SceneQuery`.

    At least ``min_scenes`` of them; their footprints together cover at least ``min_coverage`` percent of the
    area; the newest is no older than ``max_age``, a timedelta or seconds.
    """

    query: SceneQuery
    min_scenes: int = 1
    min_coverage: float | None = None
    max_age: timedelta | float | None = None

    def check(self) -> None:
        """Raise `DefinitionError` naming everything that is wrong, the query included."""
        faults = [*self.query.faults(), *self._limits[1]]
        if faults:
            raise DefinitionError(faults, SUBJECT)

    def to_record(self) -> dict[str, Any]:
        """Return it as a dict that JSON can hold and `from_record` reads; `DefinitionError` as of `check`."""
        self.check()
        wire = self.query.to_wire()
        least, coverage, age = self._limits[0]
        return {
            "area": {name: wire[name] for name in ("bbox",) if name in wire}
            or {"geometry": wire["intersects"]},
            "time_range": wire["datetime"],
            "collection": wire["collections"][0],
            "max_cloud_coverage": wire["filter"]["args"][1] if "filter" in wire else None,
            "min_scenes": least,
            "min_coverage": coverage,
            "max_age": age,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> WantedScenes:
        """Read what `to_record` has returned."""
        # It was read before: however many vertices it has got in lon/lat, they are taken.
        area = Area.read(record["area"], max_vertices=10**9)
        query = SceneQuery(
            area=area,
            time_range=record["time_range"],
            collection=record["collection"],
            max_cloud_coverage=record["max_cloud_coverage"],
        )
        limits = {name: record[name] for name in ("min_scenes", "min_coverage", "max_age")}
        return cls(query=query, **limits)

    def look(self, client: CatalogClient) -> tuple[Found, str]:
        """Return what there is now, and in words what it lacks: nothing if it will do."""
        self.check()
        scenes = sorted(client.search(self.query), key=lambda scene: (scene.datetime, scene.id), reverse=True)
        newest = scenes[0].datetime if scenes else None
        found = Found(
            count=len(scenes),
            newest=newest.isoformat() if newest else None,
            coverage=_coverage(self.query.footprint, scenes),
            dates=sorted({scene.datetime.date().isoformat() for scene in scenes}),
            ids=[scene.id for scene in scenes[:MAX_IDS]],
        )
        return found, self._lacks(found, newest)

    def _lacks(self, found: Found, newest: datetime | None) -> str:
        least, coverage, age = self._limits[0]
        if found.count < least or newest is None:
            return f"{found.count} of {least} scenes"
        if coverage is not None and found.coverage < coverage:
            return f"{found.coverage:g} of {coverage:g} % covered"
        if age is not None and (datetime.now(timezone.utc) - newest).total_seconds() > age:
            return f"the newest is older than {timedelta(seconds=age)}"
        return ""

    @cached_property
    def _limits(self) -> tuple[tuple[int, float | None, float | None], list[Fault]]:
        """The three conditions as numbers, and what is wrong with them."""
        faults: list[Fault] = []
        least = Number(1, whole=True)(self.min_scenes, "min_scenes", faults)
        coverage, age = self.min_coverage, self.max_age
        if coverage is not None:
            coverage = Number(0, 100)(coverage, "min_coverage", faults)
        if age is not None:
            seconds = age.total_seconds() if isinstance(age, timedelta) else age
            age = Number(above=0)(seconds, "max_age", faults)
        return (least, coverage, age), faults


def _coverage(area: Area, scenes: Sequence[Scene]) -> float:
    """Return how many percent of an area the footprints cover together, on the ellipsoid."""
    import shapely

    from airflow_provider_sentinelhub.client.areas.measure import square_metres

    footprints = [shape for scene in scenes if (shape := _footprint(scene)) is not None]
    covered = shapely.union_all(footprints).intersection(area.geometry)
    return round(100 * square_metres(covered) / square_metres(area.geometry), 2)


def _footprint(scene: Scene) -> Any:
    """Return a footprint in longitudes within ±180, None for one that is no polygon at all."""
    try:
        return Area.read(scene.geometry, invalid="repair", max_vertices=10**9).geometry
    except DefinitionError:
        return None
