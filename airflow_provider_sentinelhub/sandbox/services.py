"""What the parts of the engine share: the store, all around it, and the few things done to a request."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox.delivery import Bucket, BucketUnavailableError, ClientCache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_sentinelhub.sandbox.clock import Clock
    from airflow_provider_sentinelhub.sandbox.definition import Definition
    from airflow_provider_sentinelhub.sandbox.faults import Faults
    from airflow_provider_sentinelhub.sandbox.records import Task
    from airflow_provider_sentinelhub.sandbox.steering import Steering
    from airflow_provider_sentinelhub.sandbox.store import Store
    from airflow_provider_sentinelhub.sandbox.work import Workers

_PAUSES = (0.2, 0.5, 1.0, 2.0)  # seconds; a storage that was just started may need a moment

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """Everything the engine needs; `reader` are credentials that may read buckets but not write them."""

    store: Store
    clock: Clock
    steering: Steering
    faults: Faults
    workers: Workers
    clients: ClientCache
    reader: dict[str, str]

    def set_status(self, task_id: str, status: str, **columns: Any) -> None:
        """Change the status; for a while GETs may show the previous one."""
        task = self.store.task(task_id)
        if task:
            self.store.update_task(
                task_id,
                status=status,
                previous_status=task.status,
                stale_polls=self.steering.pace("stale_status").polls,
                last_updated=self.clock.now(),
                **columns,
            )

    def has_observed(self, task: Task) -> bool:
        """Tell whether the service has noticed the last user action, noting it if it does so now."""
        if task.picked_up:
            return True
        if not self.steering.pace("pickup").allowed(
            self._since_action(task), task.polls - task.action_polls, 1
        ):
            return False
        self.store.update_task(task.id, picked_up=True)
        return True

    def pickup_due(self, task: Task) -> float | None:
        """Return the seconds until the last user action is noticed; ``None`` if polls decide that."""
        if task.picked_up:
            return None
        return self.steering.pace("pickup").due(self._since_action(task), 1, 1)

    def _since_action(self, task: Task) -> float:
        return self.clock.now() - (task.user_action_updated or 0.0)

    async def bucket(self, task_id: str, definition: Definition, *, phase: str) -> Bucket:
        """Return the bucket of a request as its own credentials see it, or as a fault makes it look."""
        credentials = definition.credentials
        if self.faults.on_request("bucket_denied", task_id, phase=phase):
            credentials = self.reader
        return await asyncio.to_thread(self.clients.bucket, credentials, definition.destination.bucket)


async def upload(bucket: Bucket, key: str, content: bytes) -> None:
    """Write an object, trying again when the storage does not answer."""
    await _persistently(key, lambda: bucket.put(key, content))


async def download(bucket: Bucket, key: str, path: Path, *, most_bytes: int) -> None:
    """Read an object into a file, trying again when the storage does not answer."""
    await _persistently(key, lambda: bucket.download(key, path, most_bytes=most_bytes))


async def _persistently(key: str, call: Callable[[], None]) -> None:
    for pause in _PAUSES:
        try:
            await asyncio.to_thread(call)
        except BucketUnavailableError as error:
            _log.warning("No way to %s, trying again: %s", key, error)
            await asyncio.sleep(pause)
        else:
            return
    await asyncio.to_thread(call)


def delivery_error(definition: Definition, error: Exception) -> str:
    """Word a failed delivery for a request's ``error`` (assumed)."""
    return f"Failed to write to {definition.destination.uri('')}: {error}"


def reading_error(uri: str, error: Exception) -> str:
    """Word a GeoPackage that cannot be had for a request's ``error`` (assumed)."""
    return f"Failed to read {uri}: {error}"
