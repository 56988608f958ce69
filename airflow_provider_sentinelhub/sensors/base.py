"""What every sensor does: look, and wait on in the way that was chosen."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSensorTimeout

from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook, failing_for_good
from airflow_provider_sentinelhub.links import SentinelHubDashboardLink, store_dashboard

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

# The deadline is kept by the trigger; Airflow's own comes this much later, for a trigger that never ran.
_BACKSTOP = timedelta(minutes=10)
_SEEN = "sentinelhub_seen"


class SentinelHubSensor(BaseSensorOperator):
    """Base of the sensors.

    ``timeout`` counts from the first try in reschedule mode, and from the start of this try elsewhere.

    :param sentinelhub_conn_id: the Sentinel Hub connection. (templated)
    :param poll_interval: seconds between two looks, in every mode.
    :param deferrable: wait in the triggerer and free the worker.
    """

    operator_extra_links = (SentinelHubDashboardLink(),)
    ui_color = "#d8ecf2"

    def __init__(
        self,
        *,
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        poll_interval: float = 30.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poll_interval, **kwargs)
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
            self._check()
            store_dashboard(context, self.hook.client.deployment)
        if not self.deferrable:
            return super().execute(context)
        return self._look_or_defer(context, deadline=time.time() + self.timeout)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Look again when the trigger has fired; wait on if it is still too early."""
        return self._look_or_defer(context, deadline=float(event["deadline"]))

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; done carries the sensor's result."""
        raise NotImplementedError

    def _check(self) -> None:
        """Raise `DefinitionError` for arguments that cannot work, before anything is waited for."""

    def _trigger(self, deadline: float) -> BaseTrigger:
        """Return what waits until ``deadline``, in seconds since the epoch."""
        raise NotImplementedError

    def _too_late(self) -> str:
        """Say what did not come in time."""
        raise NotImplementedError

    def _look_or_defer(self, context: Context, deadline: float) -> Any:
        found = self.poke(context)
        if found:
            return found.xcom_value
        left = deadline - time.time()
        if left <= 0:
            raise AirflowSensorTimeout(self._too_late())
        return self.defer(
            trigger=self._trigger(deadline),
            method_name="execute_complete",
            timeout=timedelta(seconds=left) + _BACKSTOP,
        )

    def _is_news(self, seen: str, context: Context) -> bool:
        """Whether that was not seen before (in reschedule mode, by the process before)."""
        store: Any = context.get("task_state_store") if self.reschedule and not self.deferrable else None
        if seen == self._seen or (store and seen == store.get(_SEEN)):
            return False
        self._seen = seen
        if store:
            store.set(_SEEN, seen)
        return True
