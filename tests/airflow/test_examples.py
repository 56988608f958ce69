"""Every example Dag is parsed and run with ``dag.test()``, as a newcomer would."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from airflow_driver import EXAMPLES, airflow_command, airflow_environment

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_driver import Sandbox

# How many tiles each of its requests delivers, as the tables of its log tell.
EXAMPLE_DAGS = {
    "example_ndvi_batch": {8},
    "example_ndvi_batch_operator": {8},
    "example_tutorial": {8, 2, 3},
}
# The row of planned and delivered tiles, with nothing failed, pending or missing.
TABLE = re.compile(r"no data +failed +pending +missing\n +(\d+) +(\d+) +0 +0 +0 +0\n")


def test_all_examples_are_tried() -> None:
    # `dag.test()` has nobody to ask: the Dag with an approval is run in `test_standalone`.
    assert {path.stem for path in EXAMPLES.glob("*.py")} == EXAMPLE_DAGS.keys() | {"example_approval"}


@pytest.mark.parametrize("dag_id", EXAMPLE_DAGS)
def test_the_example_runs(sandbox: Sandbox, migrated_home: Path, tmp_path: Path, dag_id: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(migrated_home, home)
    # The configuration that was written there names the first home's database.
    (home / "airflow.cfg").unlink(missing_ok=True)
    sandbox.steer(analysis={"seconds": 1}, processing={"seconds": 2})
    # The largest pixels: nobody looks at the images.
    sizes = {"resolution": 20, **({"zarr_resolution": 0.008} if dag_id == "example_tutorial" else {})}
    conf = json.dumps({"delivery_url": f"s3://{sandbox.bucket}/{dag_id}", **sizes})

    command = airflow_command("dags", "test", dag_id, "--conf", conf)
    environment = airflow_environment(home, sandbox.connections)
    run = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=300)

    said = run.stdout + run.stderr
    assert run.returncode == 0, said[-5000:]
    assert {int(delivered) for _, delivered in TABLE.findall(said)} == EXAMPLE_DAGS[dag_id], said[-5000:]
    assert said.count("[DAG TEST] end task") >= 8, said[-5000:]
    requests = [one for one in sandbox.journal()["requests"].values() if one["creates"]]
    assert [(one["creates"], one["starts"], one["status"]) for one in requests] == [(1, 1, "DONE")] * len(
        EXAMPLE_DAGS[dag_id]
    )
