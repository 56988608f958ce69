"""The triggerer's clients: one per connection and event loop, shared by every trigger that runs there.

Looking a connection up costs the triggerer's only supervisor some 20 ms, so it is not done for each poll.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_sentinelhub.client.retries import Backoff
from airflow_provider_sentinelhub.hooks.sentinelhub import SentinelHubHook

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task

    from airflow_provider_sentinelhub.client.batch import BatchClient

# Seconds after which a connection is read again.
_LIFETIME = 600.0

_clients: WeakKeyDictionary[AbstractEventLoop, dict[str, tuple[float, Task[BatchClient]]]] = (
    WeakKeyDictionary()
)


async def shared_client(conn_id: str) -> BatchClient:
    """Return the client of a connection; many callers at once share one look-up.

    It makes each call once: whoever waits in an event loop pauses there and not in a thread.
    """
    clients = _clients.setdefault(asyncio.get_running_loop(), {})
    made, task = clients.get(conn_id, (0.0, None))
    failed = task is not None and task.done() and (task.cancelled() or task.exception() is not None)
    if task is None or failed or time.monotonic() - made > _LIFETIME:
        task = asyncio.create_task(_look_up(conn_id))
        clients[conn_id] = (time.monotonic(), task)
    # Shielded: a trigger that is cancelled must not take the look-up from the others.
    return await asyncio.shield(task)


def forget_client(conn_id: str) -> None:
    """Have the connection read again at the next use."""
    _clients.get(asyncio.get_running_loop(), {}).pop(conn_id, None)


async def _look_up(conn_id: str) -> BatchClient:
    return await SentinelHubHook(conn_id, backoff=Backoff(attempts=1)).aget_conn()
