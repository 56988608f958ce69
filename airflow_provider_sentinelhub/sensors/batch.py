"""Wait for a batch request, and for the tiles that it delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException

from airflow_provider_sentinelhub.hooks.sentinelhub import failing_for_good
from airflow_provider_sentinelhub.sensors.base import SentinelHubSensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_sentinelhub.client.models import BatchRequest


class SentinelHubBatchSensor(SentinelHubSensor):
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

    def __init__(self, *, request_id: str, target_status: str = "DONE", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request_id = request_id
        self.target_status = target_status

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Look again when the trigger has fired; wait on if it is still too early."""
        if event.get("request_id") != self.request_id:
            raise AirflowFailException(
                f"The trigger fired for batch request {event.get('request_id')}, not for {self.request_id}."
            )
        return super().execute_complete(context, event)

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
        from airflow_provider_sentinelhub.client.judge import target

        target(self.target_status)

    def _trigger(self, deadline: float) -> BaseTrigger:
        from airflow_provider_sentinelhub.triggers.batch import SentinelHubBatchTrigger

        return SentinelHubBatchTrigger(
            request_id=self.request_id,
            target_status=self.target_status,
            sentinelhub_conn_id=self.sentinelhub_conn_id,
            poll_interval=self.poll_interval,
            deadline=deadline,
        )

    def _too_late(self) -> str:
        return (
            f"Batch request {self.request_id} is not {self.target_status} after {self.timeout:g} s "
            f"({self._seen}). It goes on at Sentinel Hub."
        )

    def _result(self, request: BatchRequest, context: Context) -> Any:  # noqa: ARG002
        return request.id

    def _report(self, request: BatchRequest, context: Context) -> None:
        from airflow_provider_sentinelhub.client.judge import idle

        if self._is_news(request.progress, context):
            self.log.info("Batch request %s: %s", request.id, request.progress)
            if (lacks := idle(request)) is not None:
                self.log.warning("Batch request %s was %s: nothing happens until it is.", request.id, lacks)
