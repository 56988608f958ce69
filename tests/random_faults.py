"""Random mixtures of the sandbox's faults against the whole-life operator.

``python tests/random_faults.py --runs 500 [--seed N]`` makes many; the test suite a few.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox_driver import Sandbox

ATTEMPTS = 10
# How a request may be made to end, and what the task then ends with; "" is success.
ENDINGS: dict[str, str] = {
    "none": "",
    "tile_no_data": "",
    "tile_failure": "IncompleteDeliveryError",
    "bucket_denied": "BatchFailedError|IncompleteDeliveryError",
    "out_of_pu": "BatchOutOfPuError",
    "unhealthy": "BatchUnhealthyError",
    "analysis_failure": "BatchFailedError",
    "processing_failure": "BatchFailedError",
    "unknown_status": "UnknownStatusError",
}
HTTP_FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rate_limit", {"retry_after_ms": 50}),
    ("rate_limit", {"retry_after_ms": None}),
    ("server_error", {"status": 500, "body": "html"}),
    ("server_error", {"status": 503, "body": "empty"}),
    ("drop", {"when": "before"}),
    ("drop", {"when": "after"}),
    ("garbage", {}),
    ("latency", {"seconds": 0.2}),
    ("client_error", {"status": 400, "message": "Request body should be non-empty."}),
    ("client_error", {"status": 401}),
)
PATHS = ("/process", "/process/*", "/process/*/analyse", "/process/*/start", "/token", "/tilinggrids", None)


def one_run(sandbox: Sandbox, chance: random.Random, store: Path) -> str | None:
    """Run one task to its end under random faults; returns what is wrong with what came of it."""
    try:
        return _outcome(sandbox, chance, store)
    finally:
        sandbox.forget_unfinished()


def _outcome(sandbox: Sandbox, chance: random.Random, store: Path) -> str | None:
    from airflow.sdk.exceptions import AirflowFailException
    from whole_life import FileStore, Task, tallies

    from airflow_provider_sentinelhub.client.errors import SentinelHubError

    sandbox.reset()
    sandbox.clear_journal()
    ending = chance.choice(["none"] * 8 + list(ENDINGS))
    setting = _steer(sandbox, chance)
    faults = _faults(sandbox, chance, ending)
    story = f"{ending}, {setting}, {faults}"
    deferrable = chance.random() < 0.5
    task, error = Task(FileStore(store)), ""
    began = time.monotonic()
    for _ in range(ATTEMPTS):
        try:
            task.attempt(deferrable=deferrable)
        except AirflowFailException as final:
            error = str(final).split(":")[0]
        except SentinelHubError:
            continue  # Airflow would retry
        break
    else:
        return f"no end after {ATTEMPTS} attempts: {story}"
    sandbox.clear_faults()
    made = tallies(sandbox)
    starts = [one["starts"] for one in made.values()]
    if error not in ENDINGS[ending].split("|"):
        return f"ended with {error or 'success'}: {story}"
    if sum(starts) != (0 if ending == "analysis_failure" or (error and not any(starts)) else 1):
        return f"{starts} starts: {story}"
    if not error and sum(one["pu"] for one in made.values()) != 100:
        return f"billed {[one['pu'] for one in made.values()]}: {story}"
    if time.monotonic() - began > 60:
        return f"took {time.monotonic() - began:.0f} s: {story}"
    return None


def _steer(sandbox: Sandbox, chance: random.Random) -> dict[str, Any]:
    setting = {
        "analysis": chance.choice([{"seconds": 0}, {"seconds": 0.3}, {"polls": 2}]),
        "processing": chance.choice([{"seconds": 0}, {"seconds": 0.3}, {"polls": 3}]),
        "pickup": chance.choice([{"seconds": 0}, {"seconds": 0.2}, {"polls": 1}]),
        "not_found_after_create": chance.choice([{"polls": 0}, {"polls": 2}]),
        "stale_status": chance.choice([{"polls": 0}, {"polls": 2}]),
        "token_lifetime": chance.choice([3600, 2]),
    }
    sandbox.steer(**setting)
    return setting


def _faults(sandbox: Sandbox, chance: random.Random, ending: str) -> list[Any]:
    faults: list[Any] = []
    for kind, rule in chance.sample(HTTP_FAULTS, chance.randint(0, 4)):
        where = {"path": chance.choice(PATHS), "times": chance.randint(1, 2), "skip": chance.randint(0, 2)}
        if where["path"] == "/token" and kind == "client_error":
            continue  # wrong credentials are no passing fault
        if kind == "client_error" and rule["status"] == 401:
            where["times"] = 1
        sandbox.fault(kind, **rule, **where)
        faults.append((kind, rule, where))
    if ending not in ("none", "unknown_status"):
        sandbox.fault(ending)
    elif ending == "unknown_status":
        sandbox.fault(ending, times=None)
    return faults


def main() -> int:
    """Make many runs; prints the seed, what went wrong, and a count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    home = tempfile.TemporaryDirectory(prefix="airflow-home-")
    os.environ["AIRFLOW_HOME"] = home.name
    from sandbox_driver import Sandbox
    from whole_life import impatience

    logging.disable(logging.CRITICAL)
    outcome: Counter[str] = Counter()
    with Sandbox() as sandbox, impatience(), tempfile.TemporaryDirectory() as stores:
        os.environ.update(sandbox.connections)
        for number in range(options.runs):
            store = Path(stores) / f"{number}.json"
            wrong = one_run(sandbox, random.Random(f"{options.seed}-{number}"), store)
            outcome["wrong" if wrong else "right"] += 1
            if wrong:
                print(f"run {number}: {wrong}", file=sys.stderr, flush=True)
            if (number + 1) % 25 == 0:
                print(f"{number + 1} runs, {outcome['wrong']} wrong", file=sys.stderr, flush=True)
    print(f"seed {options.seed}: {options.runs} runs, {outcome['right']} right, {outcome['wrong']} wrong")
    return 1 if outcome["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
