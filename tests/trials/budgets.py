"""Many runs at once against one budget: Airflow's own Variables, workers and API; the sandbox counts.

    python tests/trials/budgets.py [--count 100] [--limit 2000]

Each request costs 100 PU, the minimum. Ends with a line of figures; exit code 1 if more was started than the
budget allows, or less than fits.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import requests
from trials.stage import Stage, tell

DAG_ID = "trial_budget"
PRICE = 100
_SECONDS_EACH = 30


def main() -> int:
    """Run the trial."""
    # However it is told to end, it ends what it has started first.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(f"Ended by signal {number}"))
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--count", type=int, default=100, help="how many requests")
    options.add_argument("--limit", type=int, default=2000, help="PU per month")
    options.add_argument("--database", help="URL of an empty database for Airflow instead of SQLite")
    given = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="budgets-") as temporary,
        Stage(Path(temporary), given.database) as stage,
    ):
        limit = {"pu": given.limit, "per": "month"}
        variable = {"key": "sentinelhub_budget_trial", "value": json.dumps(limit)}
        stage.airflow.call("POST", "/variables", json=variable)
        began = time.monotonic()
        run = stage.airflow.trigger(DAG_ID, {"count": given.count, "budget": "trial"})

        def ended() -> bool:
            try:
                state = stage.airflow.call("GET", f"/dags/{DAG_ID}/dagRuns/{run}")["state"]
            except (RuntimeError, requests.RequestException):  # SQLite is busy
                return False
            return state in ("success", "failed")

        stage.sandbox.wait(ended, timeout=300 + given.count * _SECONDS_EACH, every=3, what="the run's end")
        seconds = time.monotonic() - began
        made = [one for one in stage.sandbox.journal()["requests"].values() if one["creates"]]
        tasks = [one for one in stage.airflow.tasks(DAG_ID, run) if one["task_id"] == "batch"]
        listed = stage.airflow.call("GET", "/variables", params={"limit": 1000})["variables"]
    started = sum(one["starts"] for one in made)
    states = sorted({str(one["state"]) for one in tasks})
    reserved = [one["key"] for one in listed if one["key"].startswith("sentinelhub_budget/")]
    tell(
        f"{given.count} runs against {given.limit} PU: {len(made)} requests, {started} started "
        f"({started * PRICE} PU), {len(reserved)} reservations, tasks {', '.join(states)}, {seconds:.0f} s"
    )
    fitting = min(given.count, given.limit // PRICE)
    return 0 if started == len(reserved) == fitting and len(made) == given.count else 1


if __name__ == "__main__":
    sys.exit(main())
