"""A dry run checks everything and creates nothing; Airflow's method of that name goes on working."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException
from airflow_runner import run
from support import FOUR_TILES, client_for, created, secrets_of, wait_for
from whole_life import operator

from airflow_provider_sentinelhub.operators.batch import SentinelHubBatchOperator
from airflow_provider_sentinelhub.operators.steps import SentinelHubCreateBatchOperator

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox_driver import Sandbox

KINDS = (SentinelHubBatchOperator, SentinelHubCreateBatchOperator)


def dry(kind: type = SentinelHubBatchOperator, **changes: Any) -> Any:
    sound = operator(area=FOUR_TILES, dry_run=True, **changes)
    if kind is SentinelHubBatchOperator:
        return sound
    names = (
        *("evalscript", "area", "time_range", "collection", "tiling_grid_id", "resolution", "outputs"),
        *("delivery_url", "delivery_aws_conn_id"),
    )
    return kind(task_id="task", dry_run=True, **{name: getattr(sound, name) for name in names})


def posts(sandbox: Sandbox) -> int:
    """Count the calls that could create or start anything."""
    calls = sandbox.journal()["calls"]
    return sum(call["method"] != "GET" and "batch" in call["path"] for call in calls)


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_would_be_asked_for(
    sandbox: Sandbox, kind: type, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sandbox.keys()
    found, _ = run(dry(kind))
    told = capfd.readouterr().out
    assert found["payload"]["input"] == {"type": "tiling-grid", "id": 1, "resolution": 20}
    assert found["payload"]["output"]["delivery"] == {"s3": {"url": "s3://sandbox/whole"}}
    assert found["tiles"]["count"] == 4
    assert found["tiles"]["crs"] == {"EPSG:32611": 4}
    assert len(found["tiles"]["names"]) == 4
    assert found["pixels"] == 4 * 500 * 500
    assert found["features"] is None
    assert "Which tiles are left out where two UTM zones meet is assumed." in found["warnings"][0]
    assert "Tiles: 4 (4 in EPSG:32611): 11S" in told
    assert "1,000,000 pixels for each output and band" in told
    assert "[-119.25, 36.0]," in told
    said = json.dumps(found) + told
    assert not [secret for secret in secrets_of(sandbox) if secret in said]
    assert posts(sandbox) == 0
    assert sandbox.keys() == before


def test_the_tiles_are_those_of_the_analysis(sandbox: Sandbox, tmp_path: Path) -> None:
    found, _ = run(dry(buffer=(5, 10)))
    assert found["pixels"] == 4 * 510 * 520
    client = client_for(sandbox)
    request_id = client.create(operator(area=FOUR_TILES)._definition().to_wire()).id
    client.analyse(request_id)
    wait_for(client, request_id, "ANALYSIS_DONE")
    path = tmp_path / "manifest.gpkg"
    path.write_bytes(sandbox.read(f"whole/{request_id}/featureManifest-{request_id}.gpkg"))
    with closing(sqlite3.connect(path)) as manifest:
        names = [name for (name,) in manifest.execute("SELECT identifier FROM feature_32611 ORDER BY 1")]
    assert names == found["tiles"]["names"]


@pytest.mark.parametrize("kind", KINDS)
def test_faults_are_named_as_ever(sandbox: Sandbox, kind: type) -> None:
    wrong = dry(kind)
    wrong.resolution, wrong.outputs = 15, ["X"]
    with pytest.raises(AirflowFailException, match=r"2 faults:\n.*resolution: .*\n.*outputs: "):
        run(wrong)
    assert posts(sandbox) == 0


def test_a_request_that_exists_is_left_as_it_is(sandbox: Sandbox) -> None:
    request_id = created(client_for(sandbox), sandbox)
    found, _ = run(SentinelHubBatchOperator(task_id="task", request_id=request_id, dry_run=True))
    assert found == {"request_id": request_id, "status": "CREATED"}


@pytest.mark.parametrize(("text", "wanted"), [("True", True), ("false", False)])
def test_it_can_be_a_parameter_of_the_run(text: str, wanted: bool) -> None:
    task = operator(dry_run="{{ params.dry }}")
    task.render_template_fields({"params": {"dry": text}})
    assert task._wants_dry_run() is wanted


def test_what_cannot_be_read_is_not_paid_for(sandbox: Sandbox) -> None:
    with pytest.raises(AirflowFailException, match="dry_run: 'maybe' is neither true nor false"):
        run(operator(dry_run="maybe"))
    assert posts(sandbox) == 0


def test_the_method_of_airflow_is_not_shadowed(capfd: pytest.CaptureFixture[str]) -> None:
    operator(dry_run=True).dry_run()
    told = capfd.readouterr().out
    assert "Dry run" in told
    assert "s3://sandbox/whole" in told


def test_it_can_be_mapped() -> None:
    said = {name: getattr(operator(), name) for name in ("evalscript", "area", "time_range", "delivery_url")}
    with DAG("dag", schedule=None) as dag:
        partial = SentinelHubBatchOperator.partial(
            task_id="mapped", tiling_grid_id=1, resolution=20, delivery_aws_conn_id="aws_default", **said
        )
        partial.expand(dry_run=[True, False])
    mapped: Any = dag.get_task("mapped")
    assert mapped.unmap({"dry_run": True})._wants_dry_run() is True
