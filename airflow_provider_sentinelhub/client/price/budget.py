"""Budgets: whether a price fits what may be spent, and what is left of a day or a month.

Nothing is stored here, and no clock is read. A reservation is the price of a request that is under way; when
it is over, what was spent takes its place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Literal

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_sentinelhub.client.price.estimate import Estimate, Level

Period = Literal["day", "month"]


@dataclass(frozen=True)
class Entry:
    """PU that were spent, or are reserved, at a moment (UTC if it has no zone)."""

    at: datetime
    pu: float


@dataclass(frozen=True)
class Verdict:
    """Whether a price fits, and how much is ``left`` after it (negative: missing)."""

    fits: bool
    price: float
    left: float

    def __str__(self) -> str:
        if self.fits:
            return f"{self.price:,.2f} PU fit; {self.left:,.2f} PU are left."
        return f"{self.price:,.2f} PU do not fit: {-self.left:,.2f} PU are missing."


def fits(estimate: Estimate, max_pu: float, level: Level = "likely") -> Verdict:
    """Say whether the price at a level is at most ``max_pu``; `DefinitionError` if that is no amount."""
    _check("max_pu", max_pu)
    price = price_of(estimate, level)
    return Verdict(price <= max_pu, price, max_pu - price)


def price_of(estimate: Estimate, level: Level = "likely") -> float:
    """Return the price at a level; `DefinitionError` if there is no such level."""
    if level not in estimate.pu._fields:
        names = ", ".join(estimate.pu._fields)
        raise DefinitionError([Fault("level", f"{level!r} is not known", f"Choose one of {names}")], "budget")
    return float(getattr(estimate.pu, level))


def period_of(moment: datetime, period: Period) -> tuple[datetime, datetime]:
    """Return the start of the UTC day or calendar month of a moment, and of the next one."""
    now = _utc(moment)
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return start, start + timedelta(days=1)
    if period == "month":
        start = start.replace(day=1)
        return start, (start + timedelta(days=32)).replace(day=1)
    raise DefinitionError([Fault("period", f"{period!r} is not known", "Choose day or month")], "budget")


def left(
    budget: float,
    period: Period,
    now: datetime,
    *,
    spent: Iterable[Entry] = (),
    reserved: Iterable[Entry] = (),
) -> float:
    """Return the PU that are left of a budget in the period of ``now``; negative if too much was spent.

    What was spent counts in the period in which it was; a reservation counts until it is given up, also one
    of an earlier period, since it will be spent in this one.
    """
    _check("budget", budget)
    start, end = period_of(now, period)
    used = [entry.pu for entry in spent if start <= _utc(entry.at) < end]
    used += [entry.pu for entry in reserved if _utc(entry.at) < end]
    return budget - math.fsum(used)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _check(name: str, amount: float) -> None:
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not amount >= 0:
        raise DefinitionError([Fault(name, f"{amount!r} is no amount of PU", "Give 0 or more")], "budget")
