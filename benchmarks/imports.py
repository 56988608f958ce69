"""What importing the operators and sensors costs a scheduler, on top of ``import airflow.sdk``.

Fresh interpreters in turn, with and without; CPU seconds (user and system) of each, medians and their
difference. ``python benchmarks/imports.py``
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

BASE = "import airflow.sdk"
OURS = (
    BASE
    + "; import airflow_provider_sentinelhub.operators.batch, airflow_provider_sentinelhub.operators.steps"
    "; import airflow_provider_sentinelhub.sensors.batch, airflow_provider_sentinelhub.sensors.tiles"
)
ROUNDS = 9


def cpu_seconds(code: str) -> float:
    """Run code in a fresh interpreter; returns the CPU time it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    """Measure and print."""
    cpu_seconds(OURS)  # compiles, fills the page cache
    base, ours = zip(*((cpu_seconds(BASE), cpu_seconds(OURS)) for _ in range(ROUNDS)), strict=True)
    added = statistics.median(b - a for a, b in zip(base, ours, strict=True))
    print(f"import airflow.sdk           {1000 * statistics.median(base):7.0f} ms CPU, median of {ROUNDS}")
    print(f"with operators and sensors   {1000 * statistics.median(ours):7.0f} ms CPU")
    print(f"added, median of the pairs   {1000 * added:7.0f} ms CPU (target: 30)")


if __name__ == "__main__":
    main()
