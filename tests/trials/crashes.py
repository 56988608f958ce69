"""What dies or hangs by itself: a task process, the triggerer, the sandbox. None of it may cost anything."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from trials.stage import SETTLED, family, in_phase, send, tell, triggerer_of
from trials.verdicts import DONE_ONCE, Row, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trials.stage import Group, Stage

MOMENTS = (
    "before create",
    "after create",
    "after analyse",
    "before start",
    "after start",
    "while polling",
    "while finishing",
)
LONG = 3600
PATIENCE = 120


def worker_killed(stage: Stage, count: int) -> Iterator[Row]:
    """Kill the task's process at each boundary of its first attempt."""
    stage.pace(1, 8)
    group = stage.begin("worker", count, dag_id="trial_few", deferrable=False, dies=MOMENTS)
    stage.finish(group, PATIENCE + 15 * count * len(MOMENTS))
    tries = {task["map_index"]: task["try_number"] for task in group.tasks}
    for moment in MOMENTS:
        labels = [label for label in group.labels if f"/{moment}/" in label]
        died = sum(tries.get(group.labels.index(label), 0) > 1 for label in labels)
        row = judge(group, DONE_ONCE, f"worker killed {moment}", labels)
        yield row if died == len(labels) else row.spoilt(f"only {died} died")


def triggerer_killed(stage: Stage, count: int) -> Iterator[Row]:
    """Kill the triggerer that all wait in, and start another one."""
    group = deferred(stage, "triggerer killed", count)
    [old] = stage.triggerers
    for pid in family(old):
        send(pid, signal.SIGKILL)
    stage.triggerers.remove(old)
    time.sleep(3)
    stage.add_triggerer()
    yield released(stage, group, taken_over=taken_over(stage, group))


def sandbox_killed(stage: Stage, count: int) -> Iterator[Row]:
    """Kill the service while all wait, and start it again."""
    group = deferred(stage, "sandbox killed", count)
    stage.sandbox.kill()
    time.sleep(10)
    stage.sandbox.start()
    yield released(stage, group)


def triggerer_stalls(stage: Stage, count: int) -> Iterator[Row]:
    """Stop the triggerer past its health threshold, until another one has taken over, and let it go on.

    Once all its processes, and once its supervisor only, so that each trigger runs twice at a time.
    """
    for name, members in (("triggerer stalls", family), ("its supervisor stalls", lambda pid: [pid])):
        group = deferred(stage, name, count)
        [old] = stage.triggerers
        stage.add_triggerer()
        stalled = members(old)
        for pid in stalled:
            send(pid, signal.SIGSTOP)
        moved = taken_over(stage, group)
        time.sleep(5)
        for pid in stalled:
            send(pid, signal.SIGCONT)
        stage.wait(group, lambda g: stage.kills_asked_for(g) >= count, "on_kill called for all", 2 * PATIENCE)
        asked = stage.kills_asked_for(group)
        tell(f"   Airflow has called on_kill for {asked} of {count} triggers")
        row = released(stage, group, taken_over=moved)
        yield row if asked >= count else row.spoilt(f"on_kill was called {asked} times only")
        retire(stage, old)


def triggerer_hands_over(stage: Stage, count: int) -> Iterator[Row]:
    """End a triggerer in good order while another one is there."""
    group = deferred(stage, "triggerer hands over", count)
    [old] = stage.triggerers
    stage.add_triggerer()
    retire(stage, old)
    yield released(stage, group, taken_over=taken_over(stage, group))


def deferred(stage: Stage, name: str, count: int) -> Group:
    """Have so many requests processed while their tasks wait in the triggerer."""
    stage.pace(0, LONG)
    group = stage.begin(name, count, dag_id="trial_few", deferrable=True)
    stage.wait(group, in_phase("deferred", "PROCESSING"), "deferred while PROCESSING", PATIENCE + 10 * count)
    time.sleep(SETTLED)
    return group


def taken_over(stage: Stage, group: Group) -> bool:
    """Wait until no task waits in the triggerer that it waited in when it was last looked at."""
    before = {task["map_index"]: triggerer_of(task) for task in group.tasks}
    return stage.wait(
        group,
        lambda g: all(triggerer_of(task) not in (None, before[task["map_index"]]) for task in g.tasks),
        "taken over",
        PATIENCE,
    )


def released(stage: Stage, group: Group, *, taken_over: bool = True) -> Row:
    """Let the processing end, wait for the tasks, and weigh what has become of them."""
    stage.pace(0, 0)
    stage.finish(group, PATIENCE + 10 * len(group.labels))
    row = judge(group, DONE_ONCE)
    return row if taken_over else row.spoilt("not taken over")


def retire(stage: Stage, pid: int) -> None:
    """End a triggerer in good order."""
    send(pid, signal.SIGTERM)
    stage.triggerers.remove(pid)
