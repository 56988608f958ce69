"""Each setting, seen from outside."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest
import requests
from sandbox.batch_calls import Batch, error
from sandbox_driver import Sandbox


def test_settings_are_merged_and_reset(sandbox: Sandbox) -> None:
    before = sandbox.steer()
    assert sandbox.steer(page_size=7, analysis={"polls": 2}) == {
        **before,
        "page_size": 7,
        "analysis": {"polls": 2},
    }
    assert sandbox.steer(latency_seconds=0)["page_size"] == 7
    sandbox.reset()
    assert sandbox.steer() == before


@pytest.mark.parametrize(
    "settings",
    [
        {"speed": 9},
        {"analysis": 5},
        {"analysis": {}},
        {"analysis": {"tile_seconds": 1}},
        {"analysis": {"seconds": 1, "polls": 1}},
        {"processing": {"polls": 1.5}},
        {"processing": {"seconds": -1}},
        {"stale_status": {"seconds": 1}},
        {"token_lifetime": 0},
        {"page_size": True},
        {"balance_pu": "much"},
        [],
    ],
)
def test_unusable_settings_change_nothing(sandbox: Sandbox, settings: Any) -> None:
    before = sandbox.steer()
    answer = requests.patch(
        f"{sandbox.base_url}/sandbox/steering",
        json={**settings, "latency_seconds": 3} if isinstance(settings, dict) else settings,
        timeout=30,
    )
    error(answer, 400)
    assert sandbox.steer() == before


def test_analysis_paced_by_polls(batch: Batch) -> None:
    batch.sandbox.steer(analysis={"polls": 3})
    request_id = batch.create()
    batch.accept(request_id, "analyse")
    time.sleep(0.5)  # no time is long enough without polls
    seen = [batch.get(request_id)["status"] for _ in range(3)]
    assert seen == ["ANALYSING"] * 3
    batch.until(request_id, "ANALYSIS_DONE", timeout=5)


def test_processing_paced_by_polls(batch: Batch) -> None:
    request_id = batch.create(tiles=2)
    batch.accept(request_id, "analyse")
    batch.until(request_id, "ANALYSIS_DONE")
    batch.sandbox.steer(processing={"polls": 4})
    batch.accept(request_id, "start")
    report = f"results/{request_id}/execution-{request_id}.sqlite"
    batch.sandbox.wait(lambda: batch.sandbox.has(report))
    first = [batch.get(request_id) for _ in range(2)]
    assert {(task["status"], task["completionPercentage"]) for task in first} == {("PROCESSING", 0)}
    batch.sandbox.wait(lambda: len(batch.tiles(request_id)) == 1, what="the first tile")
    third = batch.get(request_id)
    assert (third["status"], third["completionPercentage"]) == ("PROCESSING", 50)
    batch.get(request_id)
    batch.until(request_id, "DONE")


def test_processing_paced_by_the_clock(batch: Batch) -> None:
    batch.sandbox.steer(processing={"seconds": 1000})
    request_id = batch.started(tiles=2)
    batch.until(request_id, "PROCESSING")
    time.sleep(0.3)
    assert batch.get(request_id)["completionPercentage"] == 0
    batch.sandbox.advance(500)
    batch.until_percent(request_id, 50)
    batch.sandbox.advance(500)
    batch.until(request_id, "DONE")


def test_settings_hold_at_once_for_requests_at_work(batch: Batch) -> None:
    batch.sandbox.steer(processing={"tile_seconds": 1000})
    request_id = batch.started()
    batch.until(request_id, "PROCESSING")
    batch.sandbox.steer(processing={"tile_seconds": 0})
    batch.until(request_id, "DONE")


def test_actions_are_noticed_late(batch: Batch) -> None:
    batch.sandbox.steer(pickup={"seconds": 1000})
    request_id = batch.started()
    assert (batch.get(request_id)["status"], batch.get(request_id)["userAction"]) == ("CREATED", "START")
    # The refusal that is known of the real service.
    expected = "Illegal to change userAction from START to STOP with task status CREATED"
    assert error(batch.act(request_id, "stop"), 400)["message"] == expected
    batch.sandbox.advance(1000)
    batch.until(request_id, "DONE")


def test_a_stop_noticed_late_comes_after_the_tiles_done_meanwhile(batch: Batch) -> None:
    batch.sandbox.steer(processing={"tile_seconds": 100}, pickup={"seconds": 50})
    request_id = batch.started(tiles=3)
    batch.sandbox.advance(50)
    batch.until(request_id, "PROCESSING")
    batch.sandbox.advance(70)
    batch.accept(request_id, "stop")
    batch.sandbox.advance(40)
    batch.until_percent(request_id, 33)
    assert batch.get(request_id)["status"] == "PROCESSING"
    batch.sandbox.advance(10)
    assert batch.until(request_id, "STOPPED")["completionPercentage"] == 33


def test_actions_noticed_after_polls(batch: Batch) -> None:
    batch.sandbox.steer(pickup={"polls": 2})
    request_id = batch.create()
    batch.accept(request_id, "analyse")
    assert [batch.get(request_id)["status"] for _ in range(2)] == ["CREATED", "CREATED"]
    batch.until(request_id, "ANALYSIS_DONE", timeout=5)


def test_a_new_request_is_not_found_at_first(batch: Batch) -> None:
    batch.sandbox.steer(not_found_after_create={"polls": 3})
    request_id = batch.create()
    error(batch.act(request_id, "start"), 404)
    found = [batch.call("GET", f"/process/{request_id}").status_code for _ in range(4)]
    assert found == [404, 404, 200, 200]
    batch.sandbox.steer(not_found_after_create={"seconds": 100})
    request_id = batch.create()
    error(batch.call("GET", f"/process/{request_id}"), 404)
    batch.sandbox.advance(100)
    batch.get(request_id)


def test_a_changed_status_is_shown_late(batch: Batch) -> None:
    request_id = batch.create()
    batch.sandbox.steer(stale_status={"polls": 2})
    batch.accept(request_id, "analyse")
    batch.sandbox.wait(lambda: batch.sandbox.has(f"results/{request_id}/featureManifest-{request_id}.gpkg"))
    time.sleep(0.2)  # for the status to follow the upload
    seen = [batch.get(request_id)["status"] for _ in range(3)]
    assert seen == ["ANALYSING", "ANALYSING", "ANALYSIS_DONE"]


def test_latency_for_every_call(batch: Batch) -> None:
    batch.sandbox.steer(latency_seconds=0.3)
    begun = time.monotonic()
    batch.call("GET", "/process")
    assert time.monotonic() - begun >= 0.3


def test_the_execution_database_is_uploaded_at_intervals(batch: Batch) -> None:
    batch.sandbox.steer(execution_upload_seconds=100, processing={"tile_seconds": 40})
    request_id = batch.started(tiles=4)
    batch.until(request_id, "PROCESSING")
    key = f"results/{request_id}/execution-{request_id}.sqlite"
    batch.sandbox.wait(lambda: batch.sandbox.has(key))
    content = batch.sandbox.read(key)
    for done, changed in ((25, False), (50, False), (75, True)):
        batch.sandbox.advance(41)
        batch.until_percent(request_id, done)
        time.sleep(0.2)
        assert (batch.sandbox.read(key) != content) == changed


def test_the_clock_moves_timestamps(batch: Batch) -> None:
    def created() -> datetime:
        return datetime.fromisoformat(batch.get(batch.create())["created"].replace("Z", "+00:00"))

    first = created()
    batch.sandbox.advance(600)
    assert 600 <= (created() - first).total_seconds() < 630
    answer = requests.post(
        f"{batch.sandbox.base_url}/sandbox/clock", json={"advance_seconds": -5}, timeout=30
    )
    error(answer, 400)
    clock = requests.get(f"{batch.sandbox.base_url}/sandbox/clock", timeout=30).json()
    assert clock["advanced_seconds"] >= 600


def test_health(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.base_url}/sandbox/health", timeout=30)
    assert answer.json()["status"] == "ready"
    assert answer.json()["version"]
