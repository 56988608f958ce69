"""The published formula: its own examples, each term by itself, and no more for less."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.price import ASYNC, BATCH, PROCESS, Terms

ONE = Terms(bands=3, api=PROCESS)


def test_one_unit() -> None:
    assert ONE.units(512, 512) == 1


def test_the_documentation_s_change_detection_with_sentinel_1() -> None:
    terms = Terms(bands=4, format=2, sentinel1=2, api=PROCESS)
    assert round(terms.units(1024, 1024, samples=2), 3) == 42.667


def test_the_documentation_s_parcel() -> None:
    terms = Terms(bands=2, api=PROCESS)
    assert round(terms.units(20, 20), 4) == 0.0067
    assert terms.billed(terms.units(20, 20)) == terms.units(20, 20)


def test_the_documentation_s_data_fusion() -> None:
    assert Terms(bands=3, local=2, remote=1, api=PROCESS).fusion == 4


def test_the_tutorial_in_both_versions_of_the_batch_api() -> None:
    first = 8 * Terms(bands=3, api=PROCESS).units(1000, 1000, samples=29 / 3)
    assert round(first) == 295
    second = 8 * Terms(bands=3, api=BATCH).units(1000, 1000, samples=29 / 3)
    assert round(second) == 98
    assert BATCH.minimum == Terms(bands=3, api=BATCH).billed(second) == 100


@pytest.mark.parametrize(
    ("change", "factor"),
    [
        ({"bands": 1}, 1 / 3),
        ({"bands": 12}, 4),
        ({"format": 2}, 2),
        ({"format": 1.4}, 1.4),
        ({"local": 2}, 2),
        ({"remote": 1}, 3),
        ({"local": 0, "remote": 2}, 4),
        ({"local": 0, "remote": 1}, 1),  # not a fusion
        ({"sentinel1": 5.0}, 5),
        ({"api": ASYNC}, 2 / 3),
        ({"api": BATCH}, 1 / 3),
    ],
)
def test_each_term(change: dict[str, Any], factor: float) -> None:
    assert replace(ONE, **change).units(512, 512) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    ("size", "share"),
    [((512, 256), 0.5), ((1, 1), 0.01), ((51, 51), 0.01), ((52, 52), 52 * 52 / 512**2), ((1024, 1024), 4)],
)
def test_the_size_has_a_least_share(size: tuple[int, int], share: float) -> None:
    assert ONE.units(*size) == share


def test_the_reduction_has_a_least_size() -> None:
    assert replace(ONE, api=BATCH).discount(100, 100) == 1  # not bigger than 10,000
    assert replace(ONE, api=BATCH).discount(100, 101) == 1 / 3
    assert replace(ONE, api=ASYNC).discount(100, 100) == 2 / 3  # at least 10,000
    assert replace(ONE, api=ASYNC).discount(99, 101) == 1


def test_minimum_of_a_request() -> None:
    assert [replace(ONE, api=api).billed(0.001) for api in (PROCESS, ASYNC, BATCH)] == [0.005, 10, 100]
    assert Terms(bands=3).billed(100.5) == 100.5


def test_more_never_costs_less() -> None:
    chance = random.Random(5)
    for _ in range(500):
        terms = Terms(
            bands=chance.randint(1, 12),
            format=chance.choice((1.0, 1.4)),
            local=chance.randint(1, 3),
            sentinel1=chance.choice((1.0, 2.0)),
            api=chance.choice((PROCESS, ASYNC, BATCH)),
        )
        size, samples = (chance.randint(1, 3000), chance.randint(1, 3000)), chance.uniform(0, 30)
        price = terms.units(*size, samples)
        for field, more in (("bands", 1), ("format", 0.6), ("local", 1), ("remote", 1), ("sentinel1", 0.5)):
            assert replace(terms, **{field: getattr(terms, field) + more}).units(*size, samples) >= price
        assert terms.units(*size, samples + 1) > price
        larger = (size[0] + 1, size[1])
        if terms.discount(*larger) == terms.discount(*size):
            assert terms.units(*larger, samples) >= price


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({"bands": 0}, ["bands"]),
        ({"bands": 3, "local": 0}, ["local"]),
        ({"bands": 3, "format": 0.5, "sentinel1": float("nan")}, ["format", "sentinel1"]),
    ],
)
def test_impossible_terms_are_named(fields: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(DefinitionError) as error:
        Terms(**fields)
    assert [fault.field for fault in error.value.faults] == faults
