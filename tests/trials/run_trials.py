"""Let die whatever can die, and do whatever people do, many times over; then count what was paid for.

    python tests/trials/run_trials.py [--only NAME …] [--count 20]

Needs a POSIX machine with /proc (Linux) and some minutes for each trial. Ends with a table; exit code 1 if a
promise of the whole-life operator was broken.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from trials import crashes, persons
from trials.stage import Stage, tell
from trials.verdicts import Row, table

# The number of requests that wait at a time when what they wait in dies; ``--count`` caps it.
MANY = 2.5

TRIALS = {
    "worker-killed": (crashes.worker_killed, 1.0),
    "triggerer-killed": (crashes.triggerer_killed, MANY),
    "sandbox-killed": (crashes.sandbox_killed, MANY),
    "triggerer-hands-over": (crashes.triggerer_hands_over, MANY),
    "triggerer-stalls": (crashes.triggerer_stalls, MANY),
    **{
        f"{action.replace(' ', '-')}-{phase.key}": (persons.trial(phase, action), 1.0)
        for phase in persons.PHASES
        for action in persons.ACTIONS
    },
}


def main() -> int:
    """Run the trials."""
    options = parser().parse_args()
    # However it is told to end, it ends what it has started first.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(f"Ended by signal {number}"))
    names = options.only or list(TRIALS)
    rows: list[Row] = []
    whole = True
    with tempfile.TemporaryDirectory(prefix="trials-") as temporary:
        folder = options.keep or Path(temporary)
        tell(f"Starting the sandbox and Airflow in {folder}")
        with Stage(folder, options.database) as stage:
            for name in names:
                run, times = TRIALS[name]
                began = time.monotonic()
                tell(f"{name}: {options.count} times {times:g}")
                try:
                    for row in run(stage, round(options.count * times)):
                        tell(f"   {row}")
                        rows.append(row)
                except Exception:  # noqa: BLE001 - the other trials are worth running all the same
                    traceback.print_exc()
                    whole = False
                tell(f"   {time.monotonic() - began:.0f} s")
    print(table(rows))
    return 0 if whole and all(row.good for row in rows) else 1


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--only", nargs="+", choices=TRIALS, metavar="NAME", help=", ".join(TRIALS))
    options.add_argument("--count", type=int, default=20, help="how often each trial is made")
    options.add_argument("--keep", type=Path, help="folder to leave all logs and data in")
    options.add_argument("--database", help="URL of an empty database for Airflow instead of SQLite")
    return options


if __name__ == "__main__":
    sys.exit(main())
