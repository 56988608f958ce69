"""Budgets: what fits, and what is left."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from client.price.making import script, wire

from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.price import price_definition
from airflow_provider_sentinelhub.client.price.budget import Entry, fits, left, period_of, price_of

UTC = timezone.utc
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


def test_a_price_fits_or_does_not() -> None:
    estimate = price_definition(wire(resolution=10), script=script("ORBIT", bands=("B02", "B03", "B04")))
    assert estimate.pu.low == estimate.pu.likely == 100 < estimate.pu.high
    verdict = fits(estimate, 100)
    assert verdict.fits
    assert str(verdict) == "100.00 PU fit; 0.00 PU are left."
    assert not fits(estimate, 99.9).fits
    assert not fits(estimate, 100, "high").fits
    assert str(fits(estimate, 60)) == "100.00 PU do not fit: 40.00 PU are missing."
    assert price_of(estimate, "high") == estimate.pu.high


def test_periods_are_of_utc() -> None:
    zone = timezone(timedelta(hours=-8))
    assert period_of(datetime(2024, 2, 29, 20, tzinfo=zone), "day") == (
        datetime(2024, 3, 1, tzinfo=UTC),
        datetime(2024, 3, 2, tzinfo=UTC),
    )
    assert period_of(NOON, "month") == (datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
    assert period_of(datetime(2023, 12, 31), "month")[1] == datetime(2024, 1, 1, tzinfo=UTC)


def test_what_is_left() -> None:
    spent = [Entry(NOON - timedelta(days=days), 100) for days in (0, 1, 40)]
    assert left(1000, "day", NOON, spent=spent) == 900
    assert left(1000, "month", NOON, spent=spent) == 800
    reserved = [Entry(NOON, 250), Entry(NOON - timedelta(days=3), 50), Entry(NOON + timedelta(days=9), 7)]
    assert left(1000, "day", NOON, spent=spent, reserved=reserved) == 600
    assert left(100, "day", NOON, spent=spent, reserved=reserved) == -300


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: left(-1, "day", NOON), "budget"),
        (lambda: left(float("nan"), "day", NOON), "budget"),
        (lambda: period_of(NOON, "week"), "period"),  # type: ignore[arg-type]
    ],
)
def test_nonsense_is_named(call: Any, field: str) -> None:
    with pytest.raises(DefinitionError) as error:
        call()
    assert [fault.field for fault in error.value.faults] == [field]


def test_an_unknown_level_is_named() -> None:
    estimate = price_definition(wire(), script=script())
    with pytest.raises(DefinitionError, match="Choose one of low, likely, high"):
        fits(estimate, 100, "middle")  # type: ignore[arg-type]
