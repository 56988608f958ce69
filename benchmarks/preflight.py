"""What the check of an evalscript costs: CPU time in a fresh interpreter, and again in the same one.

``python benchmarks/preflight.py``
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROUNDS = 15
# The imports that any Airflow task has done before are left out.
CODE = """
import concurrent.futures, dataclasses, difflib, importlib.resources, json, logging, re, sys, time
script, sources = sys.stdin.read(), [("sentinel-2-l1c", None)]
spent = []
for _ in range(4):
    start = time.process_time()
    from airflow_provider_sentinelhub.client import evalscript
    assert not evalscript.check(script, sources=sources).faults
    spent.append(time.process_time() - start)
print(json.dumps(spent))
"""


def measure(script: str) -> list[float]:
    """Return the CPU seconds of four checks in one fresh interpreter."""
    ended = subprocess.run(
        [sys.executable, "-c", CODE], input=script, capture_output=True, text=True, check=True, cwd=ROOT
    )
    return [float(value) for value in json.loads(ended.stdout)]


def main() -> None:
    """Measure and print."""
    sys.path.insert(0, str(ROOT / "tests"))
    from client.evalscript.good import GOOD

    scripts = {
        "NDVI of the example Dag": (ROOT / "example_dags" / "ndvi.js").read_text(encoding="utf-8"),
        "interpolation": GOOD["interpolation of a calendar"].script,
    }
    for name, script in scripts.items():
        measure(script)  # compiles, fills the page cache
        first, *_, later = zip(*(measure(script) for _ in range(ROUNDS)), strict=True)
        print(
            f"{name:24} first {1000 * statistics.median(first):5.1f} ms CPU (target: 50), "
            f"later {1000 * statistics.median(later):4.1f} ms, medians of {ROUNDS}"
        )


if __name__ == "__main__":
    main()
