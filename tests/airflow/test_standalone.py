"""The example Dag under a running Airflow, its waits really in the triggerer."""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

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


def test_a_failed_task_stops_its_request_and_a_cleared_one_goes_on(
    standalone: AirflowStandalone, sandbox: Sandbox
) -> None:
    dag_id = "example_ndvi_batch_operator"
    sandbox.steer(processing={"seconds": 3600})
    folders = [f"s3://{sandbox.bucket}/{name}" for name in ("failed", "cleared")]
    failed, cleared = (
        standalone.trigger(dag_id, {"delivery_url": folder, "resolution": 20}) for folder in folders
    )

    def both_wait() -> bool:
        waiting = [task for run in (failed, cleared) for task in standalone.tasks(dag_id, run)]
        states = [task["state"] for task in waiting if task["task_id"] == "batch"]
        processing = [one["status"] for one in made().values()]
        return states == ["deferred"] * 2 and processing == ["PROCESSING"] * 2

    def made() -> dict[str, dict[str, Any]]:
        return {key: one for key, one in sandbox.journal()["requests"].items() if one["creates"]}

    sandbox.wait(both_wait, timeout=120, every=1, what="both tasks to wait in the triggerer")
    rows = trigger_rows(standalone)
    assert all(request_id in rows for request_id in made()), "the rows were not found, or not in plain text"
    assert not [secret for secret in secrets_of(sandbox) if secret in rows]
    time.sleep(5)  # until the triggerer has taken them up, Airflow tells nobody of a kill
    standalone.call(
        "PATCH", f"/dags/{dag_id}/dagRuns/{failed}/taskInstances/batch", json={"new_state": "failed"}
    )
    clear = {"dry_run": False, "dag_run_id": cleared, "task_ids": ["batch"], "only_failed": False}
    standalone.call("POST", f"/dags/{dag_id}/clearTaskInstances", json=clear)
    sandbox.wait(lambda: any(one["stops"] for one in made().values()), timeout=60, every=1, what="the stop")
    sandbox.steer(processing={"seconds": 0})

    state, _ = standalone.watch(dag_id, cleared, 180)
    assert state == "success"
    assert standalone.watch(dag_id, failed, 60)[0] == "failed"
    # One request for each run: one was stopped, the other was done, and both were started once.
    ends = sorted((one["starts"], one["stops"], one["status"]) for one in made().values())
    assert ends == [(1, 0, "DONE"), (1, 1, "STOPPED")]


def trigger_rows(standalone: AirflowStandalone) -> str:
    """Read what the database keeps of the triggers that wait."""
    [database] = standalone.home.glob("*.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60)) as connection:
        return str(connection.execute("SELECT * FROM trigger").fetchall())


def test_a_person_approves_or_rejects_the_price(standalone: AirflowStandalone, sandbox: Sandbox) -> None:
    """One run is approved and paid for, the other is rejected and stays analysed."""
    dag_id = "example_approval"
    conf = {"delivery_url": f"s3://{sandbox.bucket}/approval", "resolution": 20}
    runs = {choice: standalone.trigger(dag_id, conf) for choice in ("Approve", "Reject")}

    def asked(run: str) -> dict[str, Any] | None:
        states = {task["task_id"]: task["state"] for task in standalone.tasks(dag_id, run)}
        assert states["approve"] != "failed", standalone.logs(dag_id, run, "approve")
        if states["approve"] != "awaiting_input" or not standalone.let_go(run, "approve"):
            return None
        question: dict[str, Any] = standalone.call("GET", f"{hitl(run)}")
        return question

    def hitl(run: str) -> str:
        return f"/dags/{dag_id}/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"

    for choice, run in runs.items():
        question = sandbox.wait(partial(asked, run), timeout=120, every=1, what="the question")
        assert "will cost about **100.00 PU**" in question["body"], question
        assert "| input bands |" in question["body"], question
        answer = {"chosen_options": [choice], "params_input": {}}
        standalone.call("PATCH", hitl(run), json=answer)

    state, seen = standalone.watch(dag_id, runs["Approve"], 180)
    assert state == "success", seen
    state, seen = standalone.watch(dag_id, runs["Reject"], 60)
    assert (state, "skipped" in seen["pay"]) == ("success", True), seen
    ends = {one["status"]: one["starts"] for one in sandbox.journal()["requests"].values() if one["creates"]}
    assert ends == {"DONE": 1, "ANALYSIS_DONE": 0}
    assert "PU estimated" in standalone.logs(dag_id, runs["Approve"], "pay")


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
