"""What a run of trials has come to, held against what was promised, as a row of a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trials.stage import Group, Request

# What the sandbox, like the service, bills at least: each trial's request is smaller than that.
PU = 100.0

COLUMNS = ("trial", "count", "created", "started", "stopped", "PU billed", "success", "lost", "duplicated")


@dataclass(frozen=True)
class Promise:
    """What each trial of a run has to come to. ``task`` None: there is no task any more."""

    task: str | None = "success"
    created: tuple[int, ...] = (1,)
    started: int = 1
    stopped: int = 0
    pu: float = PU

    def kept(self, requests: list[Request]) -> bool:
        """Whether the requests of one trial are as promised."""
        return (
            sum(one.creates for one in requests) in self.created
            and sum(one.starts for one in requests) == self.started
            and sum(one.stops for one in requests) == self.stopped
            and sum(one.pu for one in requests) == self.pu
        )


DONE_ONCE = Promise()
STOPPED = Promise(task="failed", stopped=1, pu=0)
STOPPED_AND_GONE = Promise(task=None, stopped=1, pu=0)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    cells: tuple[str, ...]
    good: bool
    remark: str = ""

    def __str__(self) -> str:
        verdict = self.remark or ("kept" if self.good else "**broken**")
        return f"| {' | '.join((*self.cells, verdict))} |"

    def spoilt(self, why: str) -> Row:
        """Return it for a trial that has not tried what it should have, and proves nothing."""
        return Row(self.cells, good=False, remark=f"**void**: {why}")


def judge(group: Group, promise: Promise, trial: str = "", labels: Iterable[str] | None = None) -> Row:
    """Weigh a run, or those of its trials that have the ``labels``."""
    chosen = list(group.labels if labels is None else labels)
    requests = [group.requests[label] for label in chosen]
    by_index = {task["map_index"]: task for task in group.tasks}
    tasks = [by_index.get(group.labels.index(label)) for label in chosen]
    states = [task and task["state"] for task in tasks]
    lost = sum(
        state == "success" and not any(one.pu for one in of)
        for state, of in zip(states, requests, strict=True)
    )
    lost += sum(not of for of in requests)
    duplicated = sum(sum(one.starts for one in of) > 1 or sum(one.pu for one in of) > PU for of in requests)
    good = all(promise.kept(of) for of in requests) and all(state == promise.task for state in states)
    cells = (
        trial or group.name,
        str(len(chosen)),
        *(
            spread(sum(getattr(one, name) for one in of) for of in requests)
            for name in ("creates", "starts", "stops", "pu")
        ),
        f"{states.count('success')}",
        str(lost),
        str(duplicated),
    )
    return Row(cells, good)


def spread(values: Iterable[Any]) -> str:
    """Say how many trials have which value: ``1``, or ``1 (18), 2 (2)`` where they differ."""
    counts = Counter(f"{value:g}" for value in values)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{value} ({times})" for value, times in sorted(counts.items()))


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    head = f"| {' | '.join((*COLUMNS, 'verdict'))} |"
    return "\n".join([head, f"|{'---|' * (len(COLUMNS) + 1)}", *map(str, rows)])
