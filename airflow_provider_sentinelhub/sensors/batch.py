"""Wait for a batch request, and for the tiles that it delivers."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout

from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook, failing_for_good
from airflow_provider_sentinelhub.links import SentinelHubDashboardLink, store_dashboard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.models import BatchRequest

# The deadline is kept by the trigger; Airflow's own comes this much later, for a trigger that never ran.
_BACKSTOP = timedelta(minutes=10)
_SEEN = "sentinelhub_progress"


class SentinelHubBatchSensor(BaseSensorOperator):
    """Wait until a batch request has reached a status; returns its id.

    A later good status counts as reached, and so does DONE straight after the analysis, with nothing to do.
    FAILED, STOPPED, an unknown status and a request that the service has forgotten fail the task, with the
    reason. Same result in ``poke``, ``reschedule`` and deferrable mode.

    ``timeout`` counts from the first try in reschedule mode, and from the start of this try elsewhere.

    :param request_id: the batch request. (templated)
    :param target_status: ``ANALYSIS_DONE`` or ``DONE``. (templated)
    :param sentinelhub_conn_id: the Sentinel Hub connection. (templated)
    :param poll_interval: seconds between two looks, in every mode.
    :param deferrable: wait in the triggerer and free the worker.
    """

    template_fields: Sequence[str] = ("request_id", "target_status", "sentinelhub_conn_id")
    operator_extra_links = (SentinelHubDashboardLink(),)
    ui_color = "#d8ecf2"

    def __init__(
        self,
        *,
        request_id: str,
        target_status: str = "DONE",
        sentinelhub_conn_id: str = SentinelHubHook.default_conn_name,
        poll_interval: float = 30.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poll_interval, **kwargs)
        self.request_id = request_id
        self.target_status = target_status
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
        from airflow_provider_sentinelhub.client.judge import target

        with failing_for_good():
            target(self.target_status)
            self._check()
            store_dashboard(context, self.hook.client.deployment)
        if not self.deferrable:
            return super().execute(context)
        return self._look_or_defer(context, deadline=time.time() + self.timeout)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Look again when the trigger has fired; wait on if it is still too early."""
        if event.get("request_id") != self.request_id:
            raise AirflowFailException(
                f"The trigger fired for batch request {event.get('request_id')}, not for {self.request_id}."
            )
        return self._look_or_defer(context, deadline=float(event["deadline"]))

    def _look_or_defer(self, context: Context, deadline: float) -> Any:
        found = self.poke(context)
        if found:
            return found.xcom_value
        left = deadline - time.time()
        if left <= 0:
            raise AirflowSensorTimeout(
                f"Batch request {self.request_id} is not {self.target_status} after {self.timeout:g} s "
                f"({self._seen}). It goes on at Sentinel Hub."
            )
        from airflow_provider_sentinelhub.triggers.batch import SentinelHubBatchTrigger

        return self.defer(
            trigger=SentinelHubBatchTrigger(
                request_id=self.request_id,
                target_status=self.target_status,
                sentinelhub_conn_id=self.sentinelhub_conn_id,
                poll_interval=self.poll_interval,
                deadline=deadline,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=left) + _BACKSTOP,
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; done carries the sensor's result."""
        from airflow_provider_sentinelhub.client.actions import look
        from airflow_provider_sentinelhub.client.judge import reached, target

        with failing_for_good():
            request = look(self.hook.client, self.request_id)
            self._report(request, context)
            if not reached(request, target(self.target_status)):
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._result(request, context))

    def _check(self) -> None:
        """Raise `DefinitionError` for arguments that cannot work, before anything is waited for."""

    def _result(self, request: BatchRequest, context: Context) -> Any:  # noqa: ARG002
        return request.id

    def _report(self, request: BatchRequest, context: Context) -> None:
        """Log where the request is when that has changed (in reschedule mode, since the process before)."""
        from airflow_provider_sentinelhub.client.judge import idle

        store: Any = context.get("task_state_store") if self.reschedule and not self.deferrable else None
        if request.progress == self._seen or (store and request.progress == store.get(_SEEN)):
            return
        self._seen = request.progress
        if store:
            store.set(_SEEN, self._seen)
        self.log.info("Batch request %s: %s", request.id, request.progress)
        if (lacks := idle(request)) is not None:
            self.log.warning("Batch request %s was %s: nothing happens until it is.", request.id, lacks)
