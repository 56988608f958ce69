"""What people do to tasks that wait: three things mean that the result is unwanted, two do not."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trials.stage import SETTLED, TASK, in_phase
from trials.verdicts import DONE_ONCE, STOPPED, STOPPED_AND_GONE, Promise, Row, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trials.stage import Group, Stage

LONG = 3600
PATIENCE = 120
# A stop that nobody asked for would have come by then: the worker and the triggerer look every few seconds.
QUIET = 20


@dataclass(frozen=True)
class Phase:
    """Where the tasks wait, and what the service does meanwhile."""

    key: str
    name: str
    status: str
    deferrable: bool

    @property
    def waiting(self) -> Callable[[Group], bool]:
        """The check that all are in the phase."""
        return in_phase("deferred" if self.deferrable else "running", self.status)

    def hold(self, stage: Stage) -> None:
        """Set a pace at which the phase lasts."""
        stage.pace(LONG if self.status == "ANALYSING" else 0, LONG)


PHASES = (
    Phase("deferred-analysing", "deferred, ANALYSING", "ANALYSING", deferrable=True),
    Phase("deferred-processing", "deferred, PROCESSING", "PROCESSING", deferrable=True),
    Phase("worker-processing", "on the worker, PROCESSING", "PROCESSING", deferrable=False),
)


def mark_failed(stage: Stage, group: Group) -> None:
    """Mark each task as failed."""
    path = f"/dags/{group.dag_id}/dagRuns/{group.run_id}/taskInstances/{TASK}"
    for task in group.tasks:
        stage.airflow.call("PATCH", f"{path}/{task['map_index']}", json={"new_state": "failed"})


def mark_run_failed(stage: Stage, group: Group) -> None:
    """Mark the run as failed."""
    stage.change_run(group, state="failed")


def delete_failed_run(stage: Stage, group: Group) -> None:
    """Mark the run as failed and delete it at once; Airflow refuses to delete a running one."""
    delete(stage, group, "failed")


def delete_waiting_run(stage: Stage, group: Group) -> None:
    """Delete the run under its waiting tasks, which Airflow allows while it is queued."""
    delete(stage, group, "queued")


def delete(stage: Stage, group: Group, state: str) -> None:
    """Delete the run as soon as it has this state; while Airflow's scheduler looks away, lest it stumbles.

    A scheduler (3.3.2) that has just taken up a run that is deleted then ends with `ObjectDeletedError`.
    """
    pause(stage, group, paused=True)
    time.sleep(3)
    stage.change_run(group, state=state)
    stage.airflow.call("DELETE", f"/dags/{group.dag_id}/dagRuns/{group.run_id}")
    pause(stage, group, paused=False)


def pause(stage: Stage, group: Group, *, paused: bool) -> None:
    """Pause or unpause the Dag."""
    stage.airflow.call("PATCH", f"/dags/{group.dag_id}", json={"is_paused": paused})


def clear(stage: Stage, group: Group) -> None:
    """Clear the tasks."""
    body = {"dry_run": False, "dag_run_id": group.run_id, "task_ids": [TASK], "only_failed": False}
    stage.airflow.call("POST", f"/dags/{group.dag_id}/clearTaskInstances", json=body)


UNWANTED: dict[str, tuple[Callable[[Stage, Group], None], Promise]] = {
    "mark failed": (mark_failed, STOPPED),
    "mark run failed": (mark_run_failed, STOPPED),
    "delete failed run": (delete_failed_run, STOPPED_AND_GONE),
    "delete waiting run": (delete_waiting_run, STOPPED_AND_GONE),
}


def unwanted(stage: Stage, count: int, phase: Phase, name: str) -> Row:
    """Do one of the things that mean that the result is unwanted."""
    act, promise = UNWANTED[name]
    if phase.status == "ANALYSING":
        promise = replace(promise, started=0)
    group = waiting(stage, f"{name} ({phase.name})", count, phase)
    act(stage, group)
    stage.wait(group, stopped, "all stopped", PATIENCE)
    time.sleep(QUIET)
    return judge(stage.look(group), promise)


def waiting(stage: Stage, name: str, count: int, phase: Phase) -> Group:
    """Have so many tasks wait."""
    phase.hold(stage)
    dag_id = "trial_few" if phase.deferrable else "trial_many"
    group = stage.begin(name, count, dag_id=dag_id, deferrable=phase.deferrable)
    stage.wait(group, phase.waiting, phase.name, PATIENCE + 15 * count)
    time.sleep(SETTLED)
    return group


def stopped(group: Group) -> bool:
    """Whether every request was stopped."""
    return all(any(one.stops for one in of) for of in group.requests.values())


def cleared(stage: Stage, count: int, phase: Phase) -> Row:
    """Clear the tasks: the new attempts go on with the same requests."""
    group = waiting(stage, f"clear ({phase.name})", count, phase)
    clear(stage, group)

    def again(group: Group) -> bool:
        return phase.waiting(group) and all(task["try_number"] >= 2 for task in group.tasks)

    adopted = stage.wait(group, again, "second attempts wait", PATIENCE + 15 * count)
    time.sleep(QUIET)
    stage.pace(0, 0)
    stage.finish(group, PATIENCE + 10 * count)
    row = judge(group, DONE_ONCE)
    return row if adopted else row.spoilt("no second attempts")


def left_paused(stage: Stage, count: int, phase: Phase) -> Row:
    """Pause the Dag: the requests go on, and the tasks once it is unpaused."""
    group = waiting(stage, f"pause ({phase.name})", count, phase)
    pause(stage, group, paused=True)
    time.sleep(QUIET)
    undisturbed = phase.waiting(stage.look(group))
    pause(stage, group, paused=False)
    stage.pace(0, 0)
    stage.finish(group, PATIENCE + 10 * count)
    row = judge(group, DONE_ONCE)
    return row if undisturbed else row.spoilt("something happened while paused")


def trial(phase: Phase, name: str) -> Callable[[Stage, int], Iterator[Row]]:
    """Return the trial of one action in one phase."""

    def run(stage: Stage, count: int) -> Iterator[Row]:
        if name == "clear":
            yield cleared(stage, count, phase)
        elif name == "pause":
            yield left_paused(stage, count, phase)
        else:
            yield unwanted(stage, count, phase, name)

    return run


ACTIONS = (*UNWANTED, "clear", "pause")
