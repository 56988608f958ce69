"""The whole-life operator over several attempts of one task instance, as Airflow would make them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from airflow_runner import TaskInstance, run, within
from support import NDVI, ONE_TILE, QUICK

from airflow_provider_sentinelhub.client import actions, adoption
from airflow_provider_sentinelhub.client import batch as batch_module
from airflow_provider_sentinelhub.client.batch import BatchClient
from airflow_provider_sentinelhub.client.delivery import ledger
from airflow_provider_sentinelhub.operators.batch import SentinelHubBatchOperator
from airflow_provider_sentinelhub.triggers import polling
from airflow_provider_sentinelhub.triggers.batch import SentinelHubBatchTrigger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_driver import Sandbox


def operator(**changes: Any) -> SentinelHubBatchOperator:
    """Return an operator with a small request of its own."""
    arguments: dict[str, Any] = {
        "task_id": "task",
        "evalscript": NDVI,
        "area": ONE_TILE,
        "time_range": ("2020-07-01", "2020-07-31"),
        "collection": "sentinel-2-l1c",
        "tiling_grid_id": 1,
        "resolution": 20,
        "outputs": ["NDVI"],
        "delivery_url": "s3://sandbox/whole",
        "delivery_aws_conn_id": "aws_default",
        "poll_interval": 0.1,
        "timeout": 60,
        **changes,
    }
    return SentinelHubBatchOperator(**arguments)


class FileStore:
    """A task state store that outlives the process, as Airflow's does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, key: str, default: Any = None) -> Any:
        values = json.loads(self.path.read_text()) if self.path.exists() else {}
        return values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        values = json.loads(self.path.read_text()) if self.path.exists() else {}
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({**values, key: value}))
        fresh.replace(self.path)


class Task:
    """One task instance over several attempts, with the store that outlives them."""

    def __init__(self, store: Any, run_id: str | None = None, map_index: int = -1) -> None:
        self.run_id = run_id or f"run-{time.time_ns()}"
        self.map_index = map_index
        self.store = store
        self.tries = 0
        self.instance = TaskInstance()

    def attempt(self, **changes: Any) -> Any:
        """Make the next attempt; returns the operator's result or raises what ends the attempt."""
        self.tries += 1
        self.instance = TaskInstance()
        self.instance.run_id, self.instance.map_index = self.run_id, self.map_index
        self.instance.try_number = self.tries
        return run(operator(**changes), within(self.instance, self.store))[0]


def tallies(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """Return what was accepted of the requests made since the journal was cleared."""
    return {key: one for key, one in sandbox.journal()["requests"].items() if one["creates"]}


def accepted(sandbox: Sandbox, action: str) -> int:
    """Return how often an action was accepted since the journal was cleared."""
    return sum(one[action] for one in tallies(sandbox).values())


@contextlib.contextmanager
def impatience() -> Iterator[None]:
    """Shorten every wait, in the way that tests do."""
    import pytest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adoption, "SETTLE_SECONDS", 1.0)
        patch.setattr(adoption, "_LOOK_EVERY", 0.1)
        patch.setattr(actions, "_LOOKS", (0.05, 0.1, 0.2, 0.5, 1.0, 2.0))
        patch.setattr(batch_module, "_NEW_REQUEST_PAUSES", (0.05, 0.1, 0.2))
        patch.setattr(polling, "_FORGIVEN", QUICK)
        patch.setattr("airflow_provider_sentinelhub.client.session.Backoff", lambda: QUICK)
        yield


def die_at(task: Task, boundary: tuple[str, str], environment: dict[str, str]) -> None:
    """Make an attempt that kills its own process with SIGKILL before or after a call."""
    os.environ.update(environment)
    (owner, name), when = boundary[0].split("."), boundary[1]
    holder: Any = {
        "BatchClient": BatchClient,
        "SentinelHubBatchTrigger": SentinelHubBatchTrigger,
        "ledger": ledger,
    }[owner]
    function = getattr(holder, name)

    def deadly(*arguments: Any, **keywords: Any) -> Any:
        if when == "after":
            function(*arguments, **keywords)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(holder, name, deadly)
    with impatience():
        task.attempt()
