"""The sandbox's clock: the machine's, moved forward on request."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.sandbox.store import Store


class Clock:
    """Time for locks, token expiry, paces and timestamps. How far it was moved survives a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.advanced_seconds: float = store.setting("clock", 0.0)

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time() + self.advanced_seconds

    def advance(self, seconds: float) -> None:
        """Move the clock."""
        self.advanced_seconds += seconds
        self._store.set_setting("clock", self.advanced_seconds)


def timestamp(moment: float) -> str:
    """Format a moment as the service does: microseconds and ``Z``."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
