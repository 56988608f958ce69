"""Whatever dies, and wherever: the next attempt goes on with the same request, and it is paid for once.

The short form; ``make trials`` kills a running Airflow's own processes, many times.
"""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING, Any

import pytest
from random_faults import one_run
from whole_life import FileStore, Task, accepted, impatience, tallies

from airflow_provider_sentinelhub.client import tiles
from airflow_provider_sentinelhub.client.batch import BatchClient
from airflow_provider_sentinelhub.triggers.batch import SentinelHubBatchTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox_driver import Sandbox

TRIALS = 3
RANDOM_RUNS = 25

# Where the worker dies: what is called there, and whether before or after it has done its work.
BOUNDARIES: dict[str, tuple[Any, str, str]] = {
    "before create": (BatchClient, "create", "before"),
    "after create": (BatchClient, "create", "after"),
    "after analyse": (BatchClient, "analyse", "after"),
    "before start": (BatchClient, "start", "before"),
    "after start": (BatchClient, "start", "after"),
    "while polling": (SentinelHubBatchTrigger, "_poll", "before"),
    "while finishing": (tiles, "list_tiles", "before"),
}


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    with impatience():
        yield


def deadly(function: Callable[..., Any], when: str) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        if when == "after":
            function(*arguments, **keywords)
        os.kill(os.getpid(), signal.SIGKILL)

    return call


def killed(task: Task, boundary: str) -> None:
    """Make an attempt in a process of its own, which is killed with SIGKILL at the boundary."""
    owner, name, when = BOUNDARIES[boundary]
    task.tries += 1
    child = os.fork()
    if child == 0:
        try:
            task.tries -= 1
            setattr(owner, name, deadly(getattr(owner, name), when))
            task.attempt()
        finally:
            os._exit(1)  # not killed: the parent sees it
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"the worker lived through {boundary}"
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("trial", range(TRIALS))
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_killed_worker(sandbox: Sandbox, tmp_path: Path, boundary: str, trial: int) -> None:
    task = Task(FileStore(tmp_path / "store.json"))
    killed(task, boundary)
    result = task.attempt()
    assert (result["status"], result["tiles"]) == ("DONE", 2)
    assert (accepted(sandbox, "creates"), accepted(sandbox, "starts")) == (1, 1)
    assert [one["pu"] for one in tallies(sandbox).values()] == [100]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning")
def test_a_worker_killed_at_every_boundary_in_turn(sandbox: Sandbox, tmp_path: Path) -> None:
    task = Task(FileStore(tmp_path / "store.json"))
    for boundary in BOUNDARIES:
        killed(task, boundary)
    assert task.attempt()["status"] == "DONE"
    assert (accepted(sandbox, "creates"), accepted(sandbox, "starts")) == (1, 1)


def test_a_lost_store_costs_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    task = Task(FileStore(tmp_path / "store.json"))
    first = task.attempt()
    task.store.path.unlink()
    assert task.attempt()["request_id"] == first["request_id"]
    assert accepted(sandbox, "creates") == 1


def test_random_faults_pay_once_and_end_right(sandbox: Sandbox, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}: python -m tests.random_faults repeats this")
    for number in range(RANDOM_RUNS):
        wrong = one_run(sandbox, random.Random(f"{seed}-{number}"), tmp_path / f"{number}.json")
        assert wrong is None, f"seed {seed}, run {number}: {wrong}"
