"""The example Dag under a running Airflow, its waits really in the triggerer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from support import secrets_of

if TYPE_CHECKING:
    from airflow_driver import AirflowStandalone
    from sandbox_driver import Sandbox

DAG_ID = "example_ndvi_batch"


def test_the_example_runs_with_its_waits_deferred(standalone: AirflowStandalone, sandbox: Sandbox) -> None:
    sandbox.steer(analysis={"seconds": 6}, processing={"tile_seconds": 1})
    run = standalone.trigger(DAG_ID, {"delivery_url": f"s3://{sandbox.bucket}/standalone", "resolution": 20})

    state, seen = standalone.watch(DAG_ID, run, 300)

    assert state == "success", seen
    for waiting in ("wait_for_analysis", "wait_for_processing"):
        assert "deferred" in seen[waiting], seen
    mapped = [task for task in standalone.tasks(DAG_ID, run) if task["task_id"] == "mean_ndvi"]
    assert len(mapped) == 8
    assert {task["state"] for task in mapped} == {"success"}
    progress = standalone.logs(DAG_ID, run, "wait_for_processing")
    assert "PU spent" in progress
    table = standalone.logs(DAG_ID, run, "print_table")
    assert len(re.findall(r"11S\w\w_\d_\d +0\.\d{4} +\d+\.\d", table)) == 8, table
    assert sum(request["starts"] for request in sandbox.journal()["requests"].values()) == 1


def test_no_secret_is_found_in_what_airflow_keeps(standalone: AirflowStandalone, sandbox: Sandbox) -> None:
    """Logs, XComs, rendered templates, trigger rows: everything is in the home's files and its database."""
    secrets = [secret.encode() for secret in secrets_of(sandbox)]
    files = [path for path in standalone.home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    assert any(path.suffix == ".log" for path in files)
    for path in files:
        content = path.read_bytes()
        for secret in secrets:
            # The console of Airflow's own processes echoes botocore's debug log unmasked, where the key's
            # public half is part of each signature.
            if path != standalone.log or secret != sandbox.access_key.encode():
                assert secret not in content, path
