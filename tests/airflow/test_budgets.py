"""What may be spent: limits of one request, budgets of many, and what stops a request that runs."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow_runner import StateStore, across, run
from support import FOUR_TILES, NDVI, ONE_TILE, client_for, created, starts, wait_for
from variables import SharedStore, variables
from whole_life import Task, accepted, impatience, tallies

from airflow_provider_sentinelhub.client.catalog import CatalogClient, SceneQuery
from airflow_provider_sentinelhub.client.models import BatchStatus
from airflow_provider_sentinelhub.hooks import budgets
from airflow_provider_sentinelhub.operators.batch import SentinelHubBatchOperator
from airflow_provider_sentinelhub.operators.budget import SentinelHubBudgetOperator
from airflow_provider_sentinelhub.triggers.batch import SentinelHubBatchTrigger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox_driver import Sandbox

__all__ = ["variables"]

MODES = (False, True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(budgets, "_PAUSES", (0.01, 0.02))
    with impatience():
        yield


def a_task() -> Task:
    return Task(StateStore())


def analyses(sandbox: Sandbox) -> int:
    return accepted(sandbox, "analyses")


# --- one request


@pytest.mark.parametrize("options", [{}, {"deferrable": True}, {"wait_for_completion": False}])
def test_over_budget_nothing_is_started_and_a_higher_limit_goes_on_with_it(
    sandbox: Sandbox, options: dict[str, Any]
) -> None:
    task = a_task()
    with pytest.raises(AirflowFailException, match="BudgetExceededError") as caught:
        task.attempt(max_pu=99.5, **options)
    assert "100.00 PU (likely), more than max_pu = 99.5" in str(caught.value)
    assert "input bands" in str(caught.value), "the table of terms is missing"
    assert accepted(sandbox, "starts") == 0

    result = task.attempt(max_pu="100", **options)
    if options.get("wait_for_completion") is False:
        result = task.attempt(max_pu="100")
    assert result["status"] == "DONE"
    counts = {action: accepted(sandbox, action) for action in ("creates", "analyses", "starts")}
    assert counts == {"creates": 1, "analyses": 1, "starts": 1}


def test_the_figure_that_counts_can_be_chosen(sandbox: Sandbox) -> None:
    # Scenes were not looked up: the figures differ.
    many: dict[str, Any] = {
        "evalscript": """//VERSION=3
function setup() {
  return {input: ["B01", "B02", "B03", "B04", "B05", "B06", "B08", "B09", "B11", "B12"],
    output: {id: "NDVI", bands: 1, sampleType: "FLOAT32"}, mosaicking: "ORBIT"};
}
function evaluatePixel(samples) { return {NDVI: [samples.length]}; }
""",
        "area": FOUR_TILES,
        "time_range": ("2020-06-01", "2020-07-31"),
        "analyse_only": True,
    }
    task = a_task()
    prices = task.attempt(**many)["estimated_pu"]
    assert 100 <= prices["low"] <= prices["likely"] < prices["high"]
    between = (prices["likely"] + prices["high"]) / 2
    many["analyse_only"] = False
    with pytest.raises(AirflowFailException, match=r"BudgetExceededError.*\(high\)"):
        task.attempt(**many, max_pu=between, pu_figure="high", wait_for_completion=False)
    assert accepted(sandbox, "starts") == 0
    task.attempt(**many, max_pu=between, wait_for_completion=False)
    assert accepted(sandbox, "starts") == 1


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"max_pu": "plenty"}, "max_pu"),
        ({"max_pu": -1}, "max_pu"),
        ({"stop_over_pu": "nan"}, "stop_over_pu"),
        ({"max_pu": 1, "pu_figure": "best"}, "pu_figure"),
        ({"budget": "a/b"}, "budget"),
        ({"budget": "unset"}, "sentinelhub_budget_unset"),
        ({"budget": {"name": "x", "pu": -5, "per": "week"}}, r"budget\.pu(.|\n)*budget\.per"),
    ],
)
def test_a_limit_that_is_none_is_said_before_anything_is_created(
    sandbox: Sandbox, variables: SharedStore, options: dict[str, Any], field: str
) -> None:
    with pytest.raises(AirflowFailException, match=f"DefinitionError(.|\\n)*{field}"):
        a_task().attempt(**options)
    assert accepted(sandbox, "creates") == 0


def test_a_request_that_exists_is_priced_by_what_the_service_says_of_it(sandbox: Sandbox) -> None:
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    client.analyse(request_id)
    wait_for(client, request_id, "ANALYSIS_DONE")
    given: Any = {"request_id": request_id, "aws_conn_id": "aws_default", "max_pu": 10}

    estimate, _ = run(SentinelHubBudgetOperator(task_id="price", **{**given, "max_pu": "100"}))
    assert estimate["pu"] == {"low": 100.0, "likely": 100.0, "high": 100.0}
    assert estimate["before_minimum"]["likely"] < 100
    with pytest.raises(AirflowFailException, match=r"BudgetExceededError.*max_pu = 10"):
        run(SentinelHubBudgetOperator(task_id="price", **given))
    with pytest.raises(AirflowFailException, match="BudgetExceededError"):
        run(SentinelHubBatchOperator(task_id="start", poll_interval=0.1, **given))
    assert starts(sandbox, request_id) == 0


def test_scenes_are_counted_in_the_catalog_if_that_is_asked_for(sandbox: Sandbox) -> None:
    client = client_for(sandbox)
    daily = NDVI.replace("output:", "mosaicking: 'ORBIT', output:").replace("(s)", "([s = {B04: 1, B08: 1}])")
    request_id = created(client, sandbox, evalscript=daily)
    client.analyse(request_id)
    wait_for(client, request_id, "ANALYSIS_DONE")
    given: Any = {"task_id": "price", "request_id": request_id}

    def searches() -> int:
        return sum("catalog" in call["path"] for call in sandbox.journal()["calls"])

    assumed, _ = run(SentinelHubBudgetOperator(**given))
    assert searches() == 0
    assert any("Scenes were not looked up" in sentence for sentence in assumed["assumptions"])
    assert assumed["samples"]["low"] < assumed["samples"]["high"]
    counted, _ = run(SentinelHubBudgetOperator(**given, count_scenes=True))
    assert searches() == 1
    query = SceneQuery(area=ONE_TILE, time_range=("2020-07-01", "2020-07-31"), collection="sentinel-2-l1c")
    days = {scene.datetime.date() for scene in CatalogClient(client.session).search(query)}
    assert counted["samples"] == {"low": len(days), "likely": len(days), "high": len(days)}
    # And by the operator that has the whole life of a request in hand.
    a_task().attempt(evalscript=daily, count_scenes=True)
    assert searches() == 3


def test_with_a_limit_but_no_way_to_look_at_the_bucket_nothing_is_started(sandbox: Sandbox) -> None:
    client = client_for(sandbox)
    request_id = created(client, sandbox)
    blind = SentinelHubBatchOperator(task_id="start", request_id=request_id, poll_interval=0.1, max_pu=1000)
    with pytest.raises(AirflowFailException, match=r"aws_conn_id: is missing"):
        run(blind)
    assert starts(sandbox, request_id) == 0


def test_before_a_restart_what_was_spent_and_what_is_left_count(
    sandbox: Sandbox, variables: SharedStore
) -> None:
    sandbox.fault("out_of_pu", after_tiles=2)
    task = a_task()
    budget = {"name": "b", "pu": 150, "per": "month"}
    with pytest.raises(AirflowFailException, match="BatchOutOfPuError"):
        task.attempt(area=FOUR_TILES, max_pu=100, budget=budget)
    [request_id] = tallies(sandbox)
    spent = client_for(sandbox).get(request_id).cost_pu
    assert spent is not None
    assert 0 < spent < 100
    # What it has spent has taken the place of what was reserved.
    assert [key.split("/")[3:] for key in variables.values] == [[request_id, f"{spent:.2f}"]]
    sandbox.advance(3601)
    with pytest.raises(AirflowFailException, match=r"BudgetExceededError.*spent already"):
        task.attempt(area=FOUR_TILES, max_pu=99)
    assert starts(sandbox, request_id) == 1
    with pytest.raises(AirflowFailException, match=r"BudgetExceededError.*do not fit the budget"):
        task.attempt(area=FOUR_TILES, budget={**budget, "pu": 99})
    assert [key.split("/")[3:] for key in variables.values] == [[request_id, f"{spent:.2f}"]]
    assert task.attempt(area=FOUR_TILES, max_pu=100, budget=budget)["cost_pu"] == 100
    assert [key.split("/")[3:] for key in variables.values] == [[request_id, "100.00"]]


# --- a request that runs


@pytest.mark.parametrize("deferrable", MODES)
def test_a_request_that_passes_its_limit_is_stopped(sandbox: Sandbox, deferrable: bool) -> None:
    sandbox.steer(processing={"tile_seconds": 1.5})
    task = a_task()
    options = {"area": FOUR_TILES, "deferrable": deferrable}
    with pytest.raises(AirflowFailException, match=r"PuLimitPassedError.*stop_over_pu = 1 "):
        task.attempt(stop_over_pu="1", **options)
    [request_id] = tallies(sandbox)
    client = client_for(sandbox)
    sandbox.wait(lambda: client.get(request_id).status is BatchStatus.STOPPED)
    assert accepted(sandbox, "stops") == 1
    assert sandbox.keys(f"whole/{request_id}/11S"), "what was delivered stays"
    sandbox.steer(processing={"tile_seconds": 0})
    sandbox.advance(1801)
    with pytest.raises(AirflowFailException, match="PuLimitPassedError"):
        task.attempt(stop_over_pu=1, **options)
    assert starts(sandbox, request_id) == 1
    assert task.attempt(stop_over_pu=1000, **options)["status"] == "DONE"


def test_the_trigger_keeps_its_limit_and_rows_without_one_still_work() -> None:
    given: dict[str, Any] = {
        "request_id": "r",
        "target_status": "DONE",
        "sentinelhub_conn_id": "c",
        "poll_interval": 1.0,
        "deadline": 2.0,
    }
    assert across(SentinelHubBatchTrigger(**given, stop_over_pu=12.5)).stop_over_pu == 12.5
    old = SentinelHubBatchTrigger(**given).serialize()[1]
    del old["stop_over_pu"]
    assert SentinelHubBatchTrigger(**old).stop_over_pu is None


# --- budgets of many runs


def test_runs_share_a_budget_whose_limit_is_a_variable(sandbox: Sandbox, variables: SharedStore) -> None:
    variables.set("sentinelhub_budget_fields", '{"pu": 250, "per": "month"}')
    month = f"{datetime.now(timezone.utc):%Y-%m}"
    ids = [a_task().attempt(budget="fields", deferrable=mode)["request_id"] for mode in MODES]
    task = a_task()
    with pytest.raises(
        AirflowFailException, match=r"budget 'fields' of 250\.00 PU per month.* 50\.00 are left"
    ):
        task.attempt(budget="fields")
    assert accepted(sandbox, "starts") == 2
    reserved = {key for key in variables.values if "/" in key}
    assert reserved == {f"sentinelhub_budget/fields/{month}/{one}/100.00" for one in ids}
    variables.set("sentinelhub_budget_fields", '{"pu": 300, "per": "month"}')
    assert task.attempt(budget="fields")["status"] == "DONE"
    assert (accepted(sandbox, "creates"), accepted(sandbox, "analyses")) == (3, 3)


def test_a_failed_request_gives_its_reservation_back(sandbox: Sandbox, variables: SharedStore) -> None:
    sandbox.fault("processing_failure")
    with pytest.raises(AirflowFailException, match="BatchFailedError"):
        a_task().attempt(budget={"name": "x", "pu": 100, "per": "day"})
    [request_id] = tallies(sandbox)
    spent = client_for(sandbox).get(request_id).cost_pu or 0
    assert sum(float(key.split("/")[-1]) for key in variables.values) == pytest.approx(spent, abs=0.01)


def test_a_crash_between_reserving_and_starting_reserves_once(
    sandbox: Sandbox, variables: SharedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = a_task()
    options = {"budget": {"name": "x", "pu": 100, "per": "month"}, "wait_for_completion": False}
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_sentinelhub.client.actions.ensure_started", crash)
        with pytest.raises(KeyboardInterrupt):
            task.attempt(**options)
    before = list(variables.values)
    assert len(before) == 1
    task.attempt(**options)
    assert list(variables.values) == before
    assert accepted(sandbox, "starts") == 1


def crash(*_: object) -> None:
    raise KeyboardInterrupt
