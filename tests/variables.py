"""Airflow's Variables for tests: the store that many tasks share, and the supervisor that talks to it."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import (
    DeleteVariable,
    ErrorResponse,
    GetVariable,
    GetVariableKeys,
    MaskSecret,
    OKResponse,
    PutVariable,
    VariableKeysResult,
    VariableResult,
)


class SharedStore:
    """Variables as Airflow keeps them: a call takes its time, and happens at one moment within it."""

    def __init__(self, seed: int | None = None, slowness: float = 0.0) -> None:
        self.values: dict[str, str] = {}
        self._random = random.Random(seed)
        self._slowness = slowness
        self._lock = threading.Lock()

    def get(self, key: str) -> str | None:
        with self._moment():
            return self.values.get(key)

    def keys(self, prefix: str) -> list[str]:
        with self._moment():
            # As on SQLite and MySQL, upper and lower case are the same.
            return sorted(key for key in self.values if key.lower().startswith(prefix.lower()))

    def set(self, key: str, value: str) -> None:
        with self._moment():
            self.values[key] = value

    def delete(self, key: str) -> None:
        with self._moment():
            self.values.pop(key, None)

    def _moment(self) -> Moment:
        return Moment(self._lock, *(self._random.random() * self._slowness for _ in range(2)))


class Moment:
    """Waits before and after what it holds, which happens at once."""

    def __init__(self, lock: threading.Lock, before: float, after: float) -> None:
        self._lock, self._before, self._after = lock, before, after

    def __enter__(self) -> None:
        time.sleep(self._before)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        time.sleep(self._after)


class Supervisor:
    """Answers what `airflow.sdk.Variable` asks; Airflow's own supervisor is there only in a real task."""

    def __init__(self, page: int = 1000) -> None:
        self.store = SharedStore()
        self.page = page

    def send(self, message: Any) -> Any:
        if isinstance(message, GetVariable):
            value = self.store.get(message.key)
            if value is None:
                error = {"error": "VARIABLE_NOT_FOUND", "detail": {}}
                return ErrorResponse.model_validate(error)
            return VariableResult(key=message.key, value=value)
        if isinstance(message, GetVariableKeys):
            found = self.store.keys(message.prefix or "")
            keys = found[message.offset : message.offset + message.limit]
            return VariableKeysResult(keys=keys, total_entries=len(found))
        if isinstance(message, PutVariable):
            self.store.set(message.key, str(message.value))
        elif isinstance(message, DeleteVariable):
            self.store.delete(message.key)
        else:
            assert isinstance(message, MaskSecret), message
        return OKResponse(ok=True)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> SharedStore:
    """Airflow's Variables as a task reaches them; what they are is returned."""
    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor.store
