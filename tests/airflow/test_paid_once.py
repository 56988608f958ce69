"""Whatever dies, and wherever: the next attempt goes on with the same request, and it is paid for once.

The short form; ``make trials`` kills a running Airflow's own processes, many times.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from typing import TYPE_CHECKING

import pytest
from random_faults import one_run
from whole_life import FileStore, Task, accepted, die_at, impatience, tallies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox_driver import Sandbox

TRIALS = 2
RANDOM_RUNS = 25
SEED = 20261122

# Where the worker dies: what is called there, and whether before or after it has done its work.
BOUNDARIES = {
    "before create": ("BatchClient.create", "before"),
    "after create": ("BatchClient.create", "after"),
    "after analyse": ("BatchClient.analyse", "after"),
    "before start": ("BatchClient.start", "before"),
    "after start": ("BatchClient.start", "after"),
    "while polling": ("SentinelHubBatchTrigger.wait", "before"),
    "while finishing": ("ledger.open_ledger", "before"),
}


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    with impatience():
        yield


def killed(task: Task, boundary: str) -> None:
    """Make an attempt in a process of its own, which is killed with SIGKILL at the boundary."""
    spawner = multiprocessing.get_context("forkserver")
    spawner.set_forkserver_preload(["whole_life"])
    worker = spawner.Process(target=die_at, args=(task, BOUNDARIES[boundary], dict(os.environ)))
    worker.start()
    worker.join(60)
    task.tries += 1
    assert worker.exitcode == -signal.SIGKILL, f"the worker lived through {boundary}: {worker.exitcode}"


@pytest.mark.parametrize("trial", range(TRIALS))
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_killed_worker(sandbox: Sandbox, tmp_path: Path, boundary: str, trial: int) -> None:
    task = Task(FileStore(tmp_path / "store.json"))
    killed(task, boundary)
    result = task.attempt()
    assert (result["status"], result["tiles"]) == ("DONE", 1)
    assert (accepted(sandbox, "creates"), accepted(sandbox, "starts")) == (1, 1)
    assert [one["pu"] for one in tallies(sandbox).values()] == [100]


def test_a_worker_killed_at_every_boundary_in_turn(sandbox: Sandbox, tmp_path: Path) -> None:
    task = Task(FileStore(tmp_path / "store.json"))
    # Work enough for every boundary but the last, which is reached only when it is done.
    sandbox.steer(processing={"seconds": 600})
    for boundary in BOUNDARIES:
        if boundary == "while finishing":
            sandbox.steer(processing={"seconds": 0})
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
    # The same mixtures each time; `make trials` makes new ones.
    for number in range(RANDOM_RUNS):
        wrong = one_run(sandbox, random.Random(f"{SEED}-{number}"), tmp_path / f"{number}.json")
        assert wrong is None, f"seed {SEED}, run {number}: {wrong}"
