"""The arithmetic of shared budgets and their races, without a service."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import Any

import pytest
from variables import SharedStore

from airflow_provider_sentinelhub.client.errors import BudgetExceededError, DefinitionError
from airflow_provider_sentinelhub.client.models import BatchRequest, BatchStatus
from airflow_provider_sentinelhub.hooks import budgets
from airflow_provider_sentinelhub.hooks.budgets import Budget, Limit

PAUSES = budgets._PAUSES


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "_PAUSES", (0.01, 0.02))


def request(name: str, **fields: Any) -> BatchRequest:
    fields.setdefault("created", datetime(2026, 11, 3, tzinfo=timezone.utc))
    return BatchRequest(id=name, status=BatchStatus.ANALYSIS_DONE, **fields)


def budget_of(store: SharedStore, pu: float, *, day: int = 20, month: int = 11, per: Any = "month") -> Budget:
    return Budget(
        Limit("b", pu, per),
        store,
        now=lambda: datetime(2026, month, day, tzinfo=timezone.utc),
    )


def test_the_rest_of_a_request_counts_in_the_month_in_which_it_is_started_again() -> None:
    store = SharedStore()
    budget_of(store, 500).reserve(request("r"), 400)
    stopped = request("r", cost_pu=150.0)
    december = budget_of(store, 500, month=12, day=2)
    december.settle(stopped)
    assert list(store.values) == ["sentinelhub_budget/b/2026-11/r/150.00"]
    assert december.reserve(stopped, 250) == 250
    december.settle(request("r", cost_pu=420.0))
    assert sorted(store.values) == [
        "sentinelhub_budget/b/2026-11/r/150.00",
        "sentinelhub_budget/b/2026-12/r/270.00",
    ]


def test_days_and_other_budgets_are_apart() -> None:
    store = SharedStore()
    store.set("sentinelhub_budget/bb/2026-11-20/other/99", "of another budget")
    store.set("sentinelhub_budget/B/2026-11-20/other/99", "of another budget, in capitals")
    assert budget_of(store, 100, per="day").reserve(request("one"), 60) == 40
    with pytest.raises(BudgetExceededError, match=r"40\.00 are left in 2026-11-20"):
        budget_of(store, 100, per="day").reserve(request("two"), 40.01)
    assert budget_of(store, 100, per="day", day=21).reserve(request("two"), 100) == 0
    store.set("sentinelhub_budget/b/2026-11-22/by-hand/30", "set aside by a person")
    with pytest.raises(BudgetExceededError):
        budget_of(store, 100, per="day", day=22).reserve(request("three"), 71)


def test_a_new_price_takes_the_place_of_the_old_one() -> None:
    store = SharedStore()
    assert budget_of(store, 100).reserve(request("r"), 60) == 40
    assert budget_of(store, 100).reserve(request("r"), 60) == 40
    assert budget_of(store, 100).reserve(request("r"), 80) == 20
    assert budget_of(store, 100).reserve(request("r"), 10) == 20, "until it is gone, the larger counts"
    assert budget_of(store, 100).reserve(request("r"), 10) == 90


@pytest.mark.parametrize("seed", range(12))
def test_a_hundred_at_once_never_start_more_than_the_budget_allows(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(budgets, "_PAUSES", [seconds / 50 for seconds in PAUSES])
    store = SharedStore(seed, slowness=0.002)
    outcomes: dict[str, float | None] = {}
    prices = {f"request-{number}": 1.0 + number * 7 % 13 for number in range(100)}
    limit = 10.0 + 20 * seed

    def one_run(name: str) -> None:
        try:
            budget_of(store, limit).reserve(request(name), prices[name])
            outcomes[name] = prices[name]
        except BudgetExceededError:
            outcomes[name] = None

    runs = [threading.Thread(target=one_run, args=(name,)) for name in prices]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    started = {name: price for name, price in outcomes.items() if price is not None}
    assert len(outcomes) == 100
    assert 0 < sum(started.values()) <= limit
    kept = {key.split("/")[3]: float(key.split("/")[4]) for key in store.values}
    assert kept == started, "who did not start has taken its reservation away"


def test_a_budget_that_cannot_be_read_says_why() -> None:
    store = SharedStore()
    for text in ("", "50000", '{"pu": "many", "per": "month"}', "{"):
        store.set("sentinelhub_budget_x", text)
        with pytest.raises(DefinitionError, match="budget"):
            Limit.read("x", store)
