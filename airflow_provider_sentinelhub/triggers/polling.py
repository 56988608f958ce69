"""How triggers look again and again: one client for all, patience with passing faults, a deadline."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from airflow_provider_sentinelhub.client.errors import AuthenticationError, SentinelHubError
from airflow_provider_sentinelhub.client.retries import Backoff
from airflow_provider_sentinelhub.triggers.clients import forget_client, shared_client

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_sentinelhub.client.batch import BatchClient

# Polls that may fail one after the other before the worker is woken to look for itself.
_FORGIVEN = Backoff(attempts=10, first=2.0, longest=120.0)


async def poll(
    look: Callable[[BatchClient], Awaitable[str | None]],
    conn_id: str,
    poll_interval: float,
    deadline: float,
    log: Any,
) -> str:
    """Look every ``poll_interval`` seconds until ``look`` returns a word; returns that.

    The worker has just looked when it defers, so the first look comes an interval later. Sooner would be
    harmful: Airflow fails a task that is running again before the scheduler has heard of its deferral.
    Otherwise it ends with ``deadline`` (seconds since the epoch), or with ``failing`` when too many looks
    failed in a row or the connection cannot be used: the worker is to look for itself, and to say why.
    """
    failures, pause = 0, poll_interval
    while (left := deadline - time.time()) > 0:
        await asyncio.sleep(min(pause, left))
        pause = poll_interval
        try:
            client = await shared_client(conn_id)
            word = await look(client)
            failures = 0
            if word is not None:
                return word
        except AirflowException as error:
            log.warning("The connection cannot be used: %s", error)
            return "failing"
        except SentinelHubError as error:
            failures += 1
            if isinstance(error, AuthenticationError):
                # The secret may have been changed in the connection since it was read.
                forget_client(conn_id)
            if failures >= (_FORGIVEN.attempts if error.retryable else 2):
                log.warning("%d polls failed in a row: %s", failures, error)
                return "failing"
            pause = _FORGIVEN.wait(failures, error)
            log.info("A poll failed and is repeated in %.0f s: %s", pause, error)
    return "deadline"
