"""The parts of the sandbox that are tables and formulas."""

from __future__ import annotations

import itertools

import pytest

from airflow_provider_sentinelhub.sandbox import lifecycle, pricing
from airflow_provider_sentinelhub.sandbox.delivery import Destination
from airflow_provider_sentinelhub.sandbox.errors import ApiError
from airflow_provider_sentinelhub.sandbox.steering import Pace

STATUSES = ("CREATED", "ANALYSING", "ANALYSIS_DONE", "PROCESSING", "DONE", "FAILED", "STOPPED")
ACTIONS = ("NONE", "ANALYSE", "START", "STOP")


def test_prices_are_those_of_the_documentation() -> None:
    # 20 x 20 pixels, 2 bands, 16 bit: too small for the batch factor, less than 0.01 of the reference.
    assert pricing.tile_units(pixels=400, bands=2, float32=False, samples=1) == pytest.approx(
        0.00667, abs=1e-5
    )
    # The documented Sentinel-1 example, 42.667 PU in one call, without its factor 2 for orthorectification.
    unit = pricing.tile_units(pixels=1024 * 1024, bands=4, float32=True, samples=2)
    assert unit == pytest.approx(42.667 / 2 / 3, abs=1e-3)


def test_the_batch_factor_is_for_tiles_bigger_than_10000_pixels() -> None:
    small = pricing.tile_units(pixels=10_000, bands=3, float32=False, samples=1)
    big = pricing.tile_units(pixels=10_001, bands=3, float32=False, samples=1)
    assert small == pytest.approx(3 * big, rel=1e-3)


def test_a_request_costs_at_least_100_units() -> None:
    assert pricing.surcharge(1.5) == 98.5
    assert pricing.surcharge(100.5) == 0


ACCEPTED = {
    *itertools.product(["CREATED"], ["NONE"], ["ANALYSE", "START"]),
    ("CREATED", "ANALYSE", "START"),
    *itertools.product(["ANALYSING", "ANALYSIS_DONE"], ["ANALYSE"], ["START", "STOP"]),
    *itertools.product(["ANALYSING", "ANALYSIS_DONE", "PROCESSING"], ["START"], ["STOP"]),
    *itertools.product(["STOPPED"], ["STOP", "START"], ["START"]),
}


@pytest.mark.parametrize(
    ("status", "previous", "action"), [*itertools.product(STATUSES, ACTIONS, ["ANALYSE", "START", "STOP"])]
)
def test_actions_are_checked_against_status_and_previous_action(
    status: str, previous: str, action: str
) -> None:
    if (status, previous, action) in ACCEPTED:
        lifecycle.check_action(status, previous, action)
        return
    with pytest.raises(ApiError) as refused:
        lifecycle.check_action(status, previous, action)
    assert refused.value.status == 400
    assert refused.value.code == "COMMON_BAD_PAYLOAD"
    assert (
        str(refused.value)
        == f"Illegal to change userAction from {previous} to {action} with task status {status}"
    )


@pytest.mark.parametrize(("reason", "minutes"), [("USER_ACTION", 30), ("UNHEALTHY", 30), ("OUT_OF_PU", 60)])
def test_a_stopped_request_is_locked_for_a_while(reason: str, minutes: int) -> None:
    with pytest.raises(ApiError) as refused:
        lifecycle.check_restart(1000.0, reason, 1000.0 + minutes * 60 - 1)
    assert refused.value.status == 400
    lifecycle.check_restart(1000.0, reason, 1000.0 + minutes * 60)


@pytest.mark.parametrize(
    ("url", "tile", "root"),
    [
        ("s3://bkt/a/b", "a/b/ID/T1/default.tif", "a/b/ID/x.json"),
        ("s3://bkt/a/b/", "a/b/ID/T1/default.tif", "a/b/ID/x.json"),
        ("s3://bkt", "ID/T1/default.tif", "ID/x.json"),
        ("s3://bkt/a/<tileName>.tif", "a/T1.tif", "a/x.json"),
        ("s3://bkt/<tileName>/<outputId>.<format>", "T1/default.tif", "x.json"),
        ("s3://bkt/a/<requestId>/<outputId>/<tileName>.<format>", "a/ID/default/T1.tif", "a/ID/x.json"),
        ("s3://bkt/a/<requestId>_<tileName>.tif", "a/ID_T1.tif", "a/x.json"),
        ("s3://bkt/a/<tileId>/<requestId>.tif", "a/7/ID.tif", "a/x.json"),
    ],
)
def test_delivery_templates(url: str, tile: str, root: str) -> None:
    destination = Destination.parse(url)
    assert destination.tile_key("ID", "T1", 7, "default", "tif") == tile
    assert destination.root_key("ID", "x.json") == root
    assert tile.startswith(destination.common_prefix("ID"))


def test_a_pace_in_seconds_spreads_the_steps() -> None:
    pace = Pace(seconds=8)
    assert [pace.allowed(seconds, 0, 4) for seconds in (0, 1.9, 2, 5, 8, 99)] == [0, 0, 1, 2, 4, 4]
    assert pace.due(1, 1, 4) == 1
    assert pace.due(9, 4, 4) == 0


def test_a_pace_in_polls_waits_for_polls_alone() -> None:
    pace = Pace(polls=2)
    assert [pace.allowed(1e9, polls, 8) for polls in (0, 1, 2, 3)] == [0, 4, 8, 8]
    assert pace.due(0, 1, 8) is None


def test_a_pace_per_tile() -> None:
    pace = Pace(tile_seconds=3)
    assert [pace.allowed(seconds, 0, 4) for seconds in (0, 3, 11.9, 12)] == [0, 1, 3, 4]


def test_without_a_pace_everything_may_happen_at_once() -> None:
    assert Pace().allowed(0, 0, 5) == 5
