"""Wait for imagery over an area."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import PokeReturnValue

from airflow_provider_sentinelhub.hooks.sentinelhub import failing_for_good
from airflow_provider_sentinelhub.sensors.base import SentinelHubSensor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_sentinelhub.client.catalog import WantedScenes


class SentinelHubCatalogSensor(SentinelHubSensor):
    """Wait until the Catalog lists enough imagery over an area; returns what it found.

    The result is a dict: ``count`` (scenes), ``newest`` (date-time), ``coverage`` (percent of the area that
    the scenes' footprints cover together), ``dates`` (days, ascending) and ``ids`` (of the 100 newest
    scenes); times are UTC. It is about all scenes that qualify, and the same in ``poke``, ``reschedule`` and
    deferrable mode. A footprint says where a scene has data, not where the ground is free of clouds.

    Each look is a search of the Catalog: 1 PU per million km² and month of the time range, from 0.01 to 1,
    for every hundred scenes. What is wrong with the arguments is said before anything is asked.

    ``timeout`` counts from the first try in reschedule mode, and from the start of this try elsewhere.

    :param area: GeoJSON in lon/lat, a box (west, south, east, north), or whatever else `Area.read` takes;
        dict, list or text. (templated)
    :param time_range: first and last date or date-time, the last included, or one text ``first/last``; times
        without a zone are UTC. It may lie ahead. (templated)
    :param collection: data collection: its type or usual name. (templated)
    :param max_cloud_coverage: percentage above which a scene does not count. (templated)
    :param min_scenes: how many scenes there have to be. (templated)
    :param min_coverage: percentage of the area that they have to cover together. (templated)
    :param max_age: how old the newest of them may be: a timedelta or seconds. (templated)
    :param area_crs: CRS of an area that does not say it, such as ``EPSG:32633``. (templated)
    :param invalid_area: ``refuse``, the default, or ``repair`` an area that is not valid. (templated)
    :param area_tolerance: metres by which the area's outline may be simplified. (templated)
    :param sentinelhub_conn_id: the Sentinel Hub connection. (templated)
    :param poll_interval: seconds between two looks, in every mode.
    :param deferrable: wait in the triggerer and free the worker.
    """

    template_fields: Sequence[str] = (
        "area",
        "time_range",
        "collection",
        "max_cloud_coverage",
        "min_scenes",
        "min_coverage",
        "max_age",
        "area_crs",
        "invalid_area",
        "area_tolerance",
        "sentinelhub_conn_id",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"area": "json"}

    def __init__(
        self,
        *,
        area: Any,
        time_range: Sequence[Any] | str,
        collection: str = "sentinel-2-l2a",
        max_cloud_coverage: float | str | None = None,
        min_scenes: int | str = 1,
        min_coverage: float | str | None = None,
        max_age: timedelta | float | str | None = None,
        area_crs: str | None = None,
        invalid_area: str = "refuse",
        area_tolerance: float | str | None = None,
        poll_interval: float = 300.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poll_interval=poll_interval, **kwargs)
        self.area = area
        self.time_range = time_range
        self.collection = collection
        self.max_cloud_coverage = max_cloud_coverage
        self.min_scenes = min_scenes
        self.min_coverage = min_coverage
        self.max_age = max_age
        self.area_crs = area_crs
        self.invalid_area = invalid_area
        self.area_tolerance = area_tolerance

    def _check(self) -> None:
        self._wanted.check()

    def _trigger(self, deadline: float) -> BaseTrigger:
        from airflow_provider_sentinelhub.triggers.catalog import SentinelHubCatalogTrigger

        return SentinelHubCatalogTrigger(
            wanted=self._wanted.to_record(),
            sentinelhub_conn_id=self.sentinelhub_conn_id,
            poll_interval=self.poll_interval,
            deadline=deadline,
        )

    def _too_late(self) -> str:
        return f"Too little imagery after {self.timeout:g} s: {self._seen}."

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; done carries the sensor's result."""
        with failing_for_good():
            found, lacks = self._wanted.look(self.hook.catalog)
            seen = f"{found}; {lacks}" if lacks else str(found)
            if self._is_news(seen, context):
                self.log.info("The Catalog lists %s", seen)
            if lacks:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=found.to_record())

    @cached_property
    def _wanted(self) -> WantedScenes:
        from airflow_provider_sentinelhub.client.catalog import SceneQuery, WantedScenes

        query = SceneQuery(
            area=self.area,
            time_range=self.time_range,
            collection=self.collection,
            max_cloud_coverage=_given(self.max_cloud_coverage),
            area_crs=_given(self.area_crs),
            invalid_area=_given(self.invalid_area) or "refuse",
            area_tolerance=_given(self.area_tolerance),
        )
        return WantedScenes(
            query=query,
            min_scenes=self.min_scenes,  # type: ignore[arg-type]
            min_coverage=_given(self.min_coverage),
            max_age=_given(self.max_age),
        )


def _given(value: Any) -> Any:
    """Return None for what Jinja makes of nothing."""
    return None if value in ("", "None") else value
