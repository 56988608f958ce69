"""What the whole-life operator must not forget between two attempts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk import Context

_KEY = "sentinelhub_batch"


@dataclass
class TaskMemory:
    """Kept in Airflow's task state store, which outlives retries and clears. All of it may get lost: it only
    makes the search for the request shorter and the wait for a lost create exact.

    Times are seconds since the epoch. ``deadline`` is of the present attempt. ``estimates`` are the prices
    (low, likely, high) at which requests were started, by their ids.
    """

    store: Any
    since: float | None = None
    creating: float | None = None
    request_id: str | None = None
    deadline: float | None = None
    estimates: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, context: Context) -> TaskMemory:
        """Read what is remembered for the task instance."""
        store: Any = context.get("task_state_store")
        known = store.get(_KEY) if store is not None else None
        memory = cls(store, **(known if isinstance(known, dict) else {}))
        if memory.since is None and context["ti"].try_number <= 1:
            # Nobody has asked before.
            memory.since = time.time()
        return memory

    def save(self) -> None:
        """Make it last."""
        if self.store is not None:
            fields = {name: value for name, value in vars(self).items() if name != "store"}
            self.store.set(_KEY, fields)
