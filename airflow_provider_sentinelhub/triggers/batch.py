"""Wait for a batch request without holding a worker."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_sentinelhub.client.errors import AuthenticationError, BatchError, SentinelHubError
from airflow_provider_sentinelhub.client.judge import reached, target
from airflow_provider_sentinelhub.client.retries import Backoff
from airflow_provider_sentinelhub.triggers.clients import forget_client, shared_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Polls that may fail one after the other before the worker is woken to look for itself.
_FORGIVEN = Backoff(attempts=10, first=2.0, longest=120.0)


class SentinelHubBatchTrigger(BaseTrigger):
    """Fires when a batch request has reached a status, or cannot reach it any more, or the deadline passes.

    The event says why the wait is over, not how the request ended: whoever resumes looks for itself, so that
    what is believed is always the service's own and latest word.

    :param request_id: the batch request.
    :param target_status: ``ANALYSIS_DONE`` or ``DONE``; a later good status counts as reached.
    :param sentinelhub_conn_id: the Airflow connection.
    :param poll_interval: seconds between two looks.
    :param deadline: seconds since the epoch; absolute, so that it survives a restart of the triggerer.
    """

    def __init__(
        self,
        *,
        request_id: str,
        target_status: str,
        sentinelhub_conn_id: str,
        poll_interval: float,
        deadline: float,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.request_id = request_id
        self.target_status = target_status
        self.sentinelhub_conn_id = sentinelhub_conn_id
        self.poll_interval = poll_interval
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and the constructor's arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "request_id": self.request_id,
                "target_status": self.target_status,
                "sentinelhub_conn_id": self.sentinelhub_conn_id,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the wait is over, then fire once."""
        why = await self._wait()
        yield TriggerEvent({"request_id": self.request_id, "why": why, "deadline": self.deadline})

    async def _wait(self) -> str:
        goal = target(self.target_status)
        failures, seen = 0, ""
        while time.time() < self.deadline:
            pause = self.poll_interval
            try:
                client = await shared_client(self.sentinelhub_conn_id)
                request = await asyncio.to_thread(client.get, self.request_id)
                failures = 0
                if request.progress != seen:
                    seen = request.progress
                    self.log.info("Batch request %s: %s", self.request_id, seen)
                if reached(request, goal):
                    return "reached"
            except BatchError:
                return "ended"
            except AirflowException as error:
                self.log.warning("The connection cannot be used: %s", error)
                return "failing"
            except SentinelHubError as error:
                failures += 1
                if isinstance(error, AuthenticationError):
                    # The secret may have been changed in the connection since it was read.
                    forget_client(self.sentinelhub_conn_id)
                if failures >= (_FORGIVEN.attempts if error.retryable else 2):
                    self.log.warning("%d polls failed in a row: %s", failures, error)
                    return "failing"
                pause = _FORGIVEN.wait(failures, error)
                self.log.info("A poll failed and is repeated in %.0f s: %s", pause, error)
            await asyncio.sleep(min(pause, max(0.0, self.deadline - time.time())))
        return "deadline"
