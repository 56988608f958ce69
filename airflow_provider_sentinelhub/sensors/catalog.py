"""Wait for imagery over an area."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSensorTimeout

from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook, failing_for_good
from airflow_provider_sentinelhub.links import SentinelHubDashboardLink, store_dashboard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.catalog import WantedScenes

# The deadline is kept by the trigger; Airflow's own comes this much later, for a trigger that never ran.
_BACKSTOP = timedelta(minutes=10)
_SEEN = "sentinelhub_scenes"


class SentinelHubCatalogSensor(BaseSensorOperator):
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
    operator_extra_links = (SentinelHubDashboardLink(),)
    ui_color = "#d8ecf2"

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
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        poll_interval: float = 300.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poll_interval, **kwargs)
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
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.poll_interval = poll_interval
        self.deferrable = deferrable
        self._seen = ""

    @cached_property
    def hook(self) -> SentinelHubHook:
        """The hook of ``sentinelhub_conn_id``."""
        return SentinelHubHook(self.sentinelhub_conn_id)

    def execute(self, context: Context) -> Any:
        """Look, and wait if it is too early."""
        with failing_for_good():
            self._wanted.check()
            store_dashboard(context, self.hook.client.deployment)
        if not self.deferrable:
            return super().execute(context)
        return self._look_or_defer(context, deadline=time.time() + self.timeout)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Look again when the trigger has fired; wait on if it is still too early."""
        return self._look_or_defer(context, deadline=float(event["deadline"]))

    def _look_or_defer(self, context: Context, deadline: float) -> Any:
        found = self.poke(context)
        if found:
            return found.xcom_value
        left = deadline - time.time()
        if left <= 0:
            raise AirflowSensorTimeout(f"Too little imagery after {self.timeout:g} s: {self._seen}.")
        from airflow_provider_sentinelhub.triggers.catalog import SentinelHubCatalogTrigger

        return self.defer(
            trigger=SentinelHubCatalogTrigger(
                wanted=self._wanted.to_record(),
                sentinelhub_conn_id=self.sentinelhub_conn_id,
                poll_interval=self.poll_interval,
                deadline=deadline,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=left) + _BACKSTOP,
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; done carries the sensor's result."""
        with failing_for_good():
            found, lacks = self._wanted.look(self.hook.catalog)
            self._report(f"{found}; {lacks}" if lacks else str(found), context)
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

    def _report(self, seen: str, context: Context) -> None:
        """Log what there is when that has changed (in reschedule mode, since the process before)."""
        store: Any = context.get("task_state_store") if self.reschedule and not self.deferrable else None
        if seen == self._seen or (store and seen == store.get(_SEEN)):
            return
        self._seen = seen
        if store:
            store.set(_SEEN, seen)
        self.log.info("The Catalog lists %s", seen)


def _given(value: Any) -> Any:
    """Return None for what Jinja makes of nothing."""
    return None if value in ("", "None") else value
