"""Run an operator or sensor to its end, in each of the ways in which Airflow does."""

from __future__ import annotations

import asyncio
import importlib
import json
import time
from datetime import datetime, timezone
from typing import Any

from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred
from airflow.sdk.execution_time.context import OutletEventAccessors
from airflow.sdk.serde import deserialize, serialize

MODES = ("poke", "reschedule", "deferrable")


class TaskInstance:
    """As much of a task instance as operators see: XComs and the date of the first reschedule."""

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}
        self.max_tries = 0
        self.dag_id, self.run_id, self.task_id, self.map_index = "dag", "run", "task", -1
        self.try_number = 1
        self.began = datetime.now(timezone.utc)

    def xcom_push(self, key: str, value: Any) -> None:
        # As strict as Airflow: what is no JSON does not cross.
        self.xcoms[key] = json.loads(json.dumps(value))

    def get_first_reschedule_date(self, _context: Any) -> datetime:
        return self.began


class StateStore:
    """Airflow's store for what a task must not forget between two processes: JSON, never None."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.values[key]) if key in self.values else default

    def set(self, key: str, value: Any) -> None:
        assert value is not None
        self.values[key] = json.dumps(value)


def context() -> dict[str, Any]:
    """Return a context to execute in."""
    instance = TaskInstance()
    return within(instance, StateStore())


def within(instance: TaskInstance, store: Any) -> dict[str, Any]:
    """Return the context of a task instance."""
    return {
        "ti": instance,
        "task_instance": instance,
        "task_state_store": store,
        "outlet_events": OutletEventAccessors(),
    }


def across(trigger: Any) -> Any:
    """Send a trigger through Airflow's serializer and build it anew, as the triggerer does."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    received: Any = deserialize(json.loads(json.dumps(serialize(arguments))))
    return getattr(importlib.import_module(module), name)(**received)


async def first_event(trigger: Any) -> Any:
    """Run a trigger until it fires."""
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")


def run(operator: Any, within: dict[str, Any] | None = None, seconds: float = 60) -> tuple[Any, int]:
    """Run to the end; returns the result and how often the worker was given back meanwhile."""
    within = within or context()
    released = 0
    end = time.monotonic() + seconds
    step = operator.execute
    arguments: dict[str, Any] = {}
    while time.monotonic() < end:
        try:
            return step(within, **arguments), released
        except AirflowRescheduleException as reschedule:
            released += 1
            wait = (reschedule.reschedule_date - datetime.now(timezone.utc)).total_seconds()
            time.sleep(max(0.0, wait))
        except TaskDeferred as deferred:
            released += 1
            event = asyncio.run(first_event(across(deferred.trigger)))
            step = getattr(operator, deferred.method_name)
            arguments = {**(deferred.kwargs or {}), "event": json.loads(json.dumps(event))}
    raise AssertionError(f"not ended after {seconds} s")
