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

# `dag.test()` has nobody to ask: the Dag with an approval is run in `test_standalone`.
EXAMPLE_DAGS = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "example_approval")


@pytest.mark.parametrize("dag_id", EXAMPLE_DAGS)
def test_the_example_runs(sandbox: Sandbox, migrated_home: Path, tmp_path: Path, dag_id: str) -> None:
    home = tmp_path / "home"
    shutil.copytree(migrated_home, home)
    # The configuration that was written there names the first home's database.
    (home / "airflow.cfg").unlink(missing_ok=True)
    sandbox.steer(analysis={"seconds": 1}, processing={"seconds": 2})
    conf = json.dumps({"delivery_url": f"s3://{sandbox.bucket}/{dag_id}", "resolution": 20})

    command = airflow_command("dags", "test", dag_id, "--conf", conf)
    environment = airflow_environment(home, sandbox.connections)
    run = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=300)

    said = run.stdout + run.stderr
    assert run.returncode == 0, said[-5000:]
    assert re.search(r"delivered 8 tiles, 16 files", said), said[-5000:]
    assert said.count("[DAG TEST] end task") >= 8, said[-5000:]
    [request] = [one for one in sandbox.journal()["requests"].values() if one["creates"]]
    assert (request["creates"], request["starts"], request["status"]) == (1, 1, "DONE")
