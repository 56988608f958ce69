"""Each fault, seen from outside."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from sandbox.batch_calls import Batch, error, violations
from sandbox_driver import Sandbox


def states(batch: Batch, request_id: str, folder: Path) -> list[tuple[str, str, str | None, bool]]:
    """Return name, status, error and delivered of each tile from the execution database."""
    path = folder / "execution.sqlite"
    path.write_bytes(batch.sandbox.read(f"results/{request_id}/execution-{request_id}.sqlite"))
    with sqlite3.connect(path) as db:
        found = db.execute("SELECT name, status, error, delivered FROM features ORDER BY name").fetchall()
    db.close()
    return [(name, status, text, bool(delivered)) for name, status, text, delivered in found]


# -- HTTP faults


def test_rate_limit_in_milliseconds_and_unwrapped(batch: Batch) -> None:
    batch.sandbox.fault("rate_limit", times=2, retry_after_ms=200)
    for _ in range(2):
        answer = batch.call("GET", "/process")
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "200"
        assert answer.json() == {
            "status": 429,
            "reason": "Too Many Requests",
            "message": "You have exceeded your rate limit",
            "code": "RATE_LIMIT_EXCEEDED",
        }
    assert batch.call("GET", "/process").status_code == 200
    [rule] = batch.sandbox.faults()
    assert (rule["seen"], rule["hits"]) == (2, 2)


def test_rate_limit_wrapped_and_without_a_hint(batch: Batch) -> None:
    batch.sandbox.fault("rate_limit", wrapped=True)
    answer = batch.call("GET", "/process")
    assert error(answer, 429)["code"] == "RATE_LIMIT_EXCEEDED"
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(
    ("body", "content"), [("json", "COMMON_EXCEPTION"), ("html", "<html>"), ("empty", "")]
)
def test_server_errors_with_all_sorts_of_bodies(batch: Batch, body: str, content: str) -> None:
    batch.sandbox.fault("server_error", status=502, body=body, method="GET", path="/tilinggrids*")
    assert batch.call("GET", "/process").status_code == 200
    answer = batch.call("GET", "/tilinggrids/1")
    assert answer.status_code == 502
    assert content in answer.text
    assert bool(answer.content) == bool(content)


def test_client_errors(batch: Batch) -> None:
    batch.sandbox.fault(
        "client_error", status=400, message="Request body should be non-empty.", code="X", path="/process"
    )
    body = error(batch.call("POST", "/process", json=batch.body()), 400)
    assert (body["message"], body["code"]) == ("Request body should be non-empty.", "X")


@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
def test_dropped_connections_before_and_after_the_work(batch: Batch, when: str, created: int) -> None:
    batch.sandbox.fault("drop", when=when, method="POST", path="/process")
    with pytest.raises(requests.ConnectionError):
        batch.create(description="dropped")
    journal = batch.sandbox.journal()
    [call] = [call for call in journal["calls"] if call["method"] == "POST" and call["path"] == "/process"]
    assert call["status"] == 0
    assert sum(tally["creates"] for tally in journal["requests"].values()) == created
    assert batch.get(batch.create())["status"] == "CREATED"


def test_latency(batch: Batch) -> None:
    batch.sandbox.fault("latency", seconds=0.5)
    begun = time.monotonic()
    assert batch.call("GET", "/process").status_code == 200
    assert 0.5 <= time.monotonic() - begun < 3


def test_garbage(batch: Batch) -> None:
    batch.sandbox.fault("garbage")
    answer = batch.call("GET", "/process")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_the_token_endpoint_is_met_only_when_named(sandbox: Sandbox) -> None:
    sandbox.fault("server_error", times=None)
    token = sandbox.token()
    assert sandbox.call("GET", "/batch/v2/process", token=token).status_code == 503
    sandbox.clear_faults()
    sandbox.fault("rate_limit", path="/token", retry_after_ms=100)
    assert sandbox.call("GET", "/batch/v2/process", token=token).status_code == 200
    with pytest.raises(requests.HTTPError, match="429"):
        sandbox.token()
    sandbox.token()


def test_some_calls_pass_first(batch: Batch) -> None:
    batch.sandbox.fault("server_error", skip=2, times=1)
    found = [batch.call("GET", "/process").status_code for _ in range(4)]
    assert found == [200, 200, 503, 200]


def test_probability_is_the_same_for_the_same_seed(batch: Batch) -> None:
    def statuses(seed: int) -> list[int]:
        batch.sandbox.clear_faults()
        batch.sandbox.fault("server_error", probability=0.5, seed=seed, times=None)
        return [batch.call("GET", "/tilinggrids/1").status_code for _ in range(20)]

    first = statuses(1)
    assert set(first) == {200, 503}
    assert statuses(1) == first
    assert statuses(2) != first


def test_the_journal_counts_calls_and_faults(batch: Batch) -> None:
    number = batch.sandbox.fault("server_error", path="/process/*", status=500)
    request_id = batch.create()
    batch.call("GET", f"/process/{request_id}")
    batch.get(request_id)
    journal = batch.sandbox.journal()
    calls = [(c["method"], c["path"], c["status"], c["request_id"], c["fault"]) for c in journal["calls"]]
    path = f"/process/{request_id}"
    assert calls[-3:] == [
        ("POST", "/process", 201, request_id, None),
        ("GET", path, 500, request_id, number),
        ("GET", path, 200, request_id, None),
    ]
    batch.sandbox.clear_journal()
    cleared = batch.sandbox.journal()
    assert cleared["calls"] == []
    assert cleared["requests"][request_id]["creates"] == 0


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"kind": "meteor"},
        {"kind": []},
        {"kind": "drop", "when": "later"},
        {"kind": "drop", "colour": "red"},
        {"kind": "drop", "times": -1},
        {"kind": "server_error", "status": 200},
        {"kind": "latency", "seconds": "long"},
        {"kind": "tile_failure", "names": "32TPR_0_9"},
        {"kind": "rate_limit", "wrapped": 1},
        {"kind": "drop", "when": None},
        [1],
    ],
)
def test_unusable_rules_are_refused(sandbox: Sandbox, rule: Any) -> None:
    answer = requests.post(f"{sandbox.base_url}/sandbox/faults", json=rule, timeout=30)
    error(answer, 400)
    assert sandbox.faults() == []


def test_rules_can_be_removed(sandbox: Sandbox) -> None:
    first, second = sandbox.fault("drop"), sandbox.fault("garbage")
    for number, status in ((first, 204), (first, 404)):
        answer = requests.delete(f"{sandbox.base_url}/sandbox/faults/{number}", timeout=30)
        assert answer.status_code == status
    assert [rule["id"] for rule in sandbox.faults()] == [second]


# -- faults of requests and tiles


def test_tiles_fail_by_count(batch: Batch, tmp_path: Path) -> None:
    batch.sandbox.fault("tile_failure", count=2, error="Out of paint.")
    request_id = batch.started(tiles=3)
    assert batch.until(request_id, "DONE")["completionPercentage"] == 100
    assert states(batch, request_id, tmp_path) == [
        ("32TPR_0_9", "FATAL", "Out of paint.", False),
        ("32TPR_1_9", "FATAL", "Out of paint.", False),
        ("32TPR_2_9", "DONE", None, True),
    ]
    assert len(batch.tiles(request_id)) == 1


def test_tiles_fail_by_name_in_one_request_only(batch: Batch, tmp_path: Path) -> None:
    first, second = batch.create(tiles=2), batch.create(tiles=2)
    batch.sandbox.fault("tile_failure", request=second, names=["32TPR_1_9"])
    for request_id in (first, second):
        batch.accept(request_id, "start")
        batch.until(request_id, "DONE")
    assert [state[1] for state in states(batch, first, tmp_path)] == ["DONE", "DONE"]
    assert [state[1] for state in states(batch, second, tmp_path)] == ["DONE", "FATAL"]


def test_a_fault_without_a_request_meets_the_next_one(batch: Batch, tmp_path: Path) -> None:
    batch.sandbox.fault("tile_failure", count=1)
    found = []
    for _ in range(2):
        request_id = batch.started()
        batch.until(request_id, "DONE")
        found += [state[1] for state in states(batch, request_id, tmp_path)]
    assert found == ["FATAL", "DONE"]


def test_tiles_without_data(batch: Batch, tmp_path: Path) -> None:
    batch.sandbox.fault("tile_no_data", names=["32TPR_0_9"])
    request_id = batch.started(tiles=2)
    batch.until(request_id, "DONE")
    assert states(batch, request_id, tmp_path) == [
        ("32TPR_0_9", "DONE", "No data", False),
        ("32TPR_1_9", "DONE", None, True),
    ]


@pytest.mark.parametrize(("kind", "reason"), [("out_of_pu", "OUT_OF_PU"), ("unhealthy", "UNHEALTHY")])
def test_the_service_stops_a_request(batch: Batch, kind: str, reason: str) -> None:
    batch.sandbox.fault(kind, after_tiles=3)
    request_id = batch.started(tiles=4)
    task = batch.until(request_id, "STOPPED")
    assert (task["stoppedStatusReason"], task["completionPercentage"]) == (reason, 75)
    assert len(batch.tiles(request_id)) == 3
    batch.sandbox.advance(3600)
    batch.renew()
    batch.accept(request_id, "start")
    batch.until(request_id, "DONE")


def test_analysis_fails(batch: Batch) -> None:
    batch.sandbox.fault("analysis_failure", error="Evalscript is too beautiful.")
    request_id = batch.started()
    task = batch.until(request_id, "FAILED")
    assert task["error"] == "Evalscript is too beautiful."
    assert batch.get(request_id)["costPU"] == 0


def test_processing_fails(batch: Batch) -> None:
    batch.sandbox.fault("processing_failure", after_tiles=1, error="Disk full.")
    request_id = batch.started(tiles=3)
    task = batch.until(request_id, "FAILED")
    assert (task["error"], len(batch.tiles(request_id))) == ("Disk full.", 1)


@pytest.mark.parametrize("phase", ["analysis", "processing"])
def test_the_bucket_refuses_uploads(batch: Batch, phase: str) -> None:
    batch.sandbox.fault("bucket_denied", phase=phase)
    request_id = batch.started()
    task = batch.until(request_id, "FAILED")
    assert "AccessDenied" in task["error"]
    assert "s3://sandbox/" in task["error"]
    manifest = f"results/{request_id}/featureManifest-{request_id}.gpkg"
    assert batch.sandbox.has(manifest) == (phase == "processing")


def test_the_bucket_refuses_uploads_at_create(batch: Batch) -> None:
    batch.sandbox.fault("bucket_denied", phase="create")
    answer = batch.call("POST", "/process", json=batch.body())
    assert "AccessDenied" in violations(answer)["output->delivery->s3->url"]
    batch.create()


def test_a_status_nobody_knows(batch: Batch) -> None:
    request_id = batch.create()
    batch.sandbox.fault("unknown_status", request=request_id, status="ARCHIVED", times=2)
    assert [batch.get(request_id)["status"] for _ in range(3)] == ["ARCHIVED", "ARCHIVED", "CREATED"]
