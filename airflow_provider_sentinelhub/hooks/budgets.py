"""Budgets that several runs share: limits and reservations are Airflow Variables, safe without a lock.

A run first writes its reservation, then lists all there are, and starts only if everything listed fits:
whoever wrote last has seen all the others, so that what is started always fits. Whoever does not fit takes
its own away again.

A limit is the Variable ``sentinelhub_budget_<name>``: ``{"pu": 50000, "per": "month"}``. A reservation is one
named ``sentinelhub_budget/<name>/<2026-11>/<request id>/<PU>``, so that one listing is the whole state. When
the request is over, its name says what was spent. Of several of one request, the largest counts.
"""

from __future__ import annotations

import json
import math
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import BudgetExceededError, DefinitionError, Fault
from airflow_provider_sentinelhub.client.price.budget import Entry, left, period_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_sentinelhub.client.models import BatchRequest
    from airflow_provider_sentinelhub.client.price.budget import Period
    from airflow_provider_sentinelhub.hooks.variables import Store

_ROOT = "sentinelhub_budget"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")  # a Variable's key has at most 250 characters
_FORMATS: dict[str, str] = {"day": "%Y-%m-%d", "month": "%Y-%m"}

# Whoever does not fit tries again after a random pause of up to so many seconds: others may not have fitted
# either, and have taken theirs away.
_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Limit:
    """How many PU may be spent in each UTC day or calendar month."""

    name: str
    pu: float
    per: Period

    @classmethod
    def read(cls, given: Any, store: Store) -> Limit:
        """Read an operator's ``budget``: a name, whose limit is in a Variable, or a dict with all three.

        Raises `DefinitionError` that names every fault in it.
        """
        name, said = (given.get("name"), given) if isinstance(given, Mapping) else (given, None)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _error([Fault("budget", f"{name!r} is no name", "Use letters, digits, '_', '.' and '-'")])
        if said is None:
            key = f"{_ROOT}_{name}"
            remedy = 'Set it to JSON such as {"pu": 50000, "per": "month"}'
            try:
                said = json.loads(store.get(key) or "null")
            except ValueError:
                said = None
            if not isinstance(said, dict):
                problem = f"the Airflow Variable {key!r} is missing or does not hold a limit"
                raise _error([Fault("budget", problem, remedy)])
        pu: Any = said.get("pu")
        per: Any = said.get("per")
        faults = []
        if isinstance(pu, bool) or not isinstance(pu, int | float) or not 0 <= pu < math.inf:
            faults.append(Fault("budget.pu", f"{pu!r} is no amount of PU", "Give 0 or more"))
        if per not in _FORMATS:
            faults.append(Fault("budget.per", f"{per!r} is not known", "Choose day or month"))
        if faults:
            raise _error(faults)
        return cls(name, float(pu), per)


class Budget:
    """What is left of a limit, and what requests take of it.

    A request counts in the period in which it is started; what is started again later counts there for the
    rest. A reservation that nobody settles, because its task was killed, counts until its period is over.
    """

    def __init__(
        self,
        limit: Limit,
        store: Store,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limit = limit
        self._store, self._now, self._pause = store, now, pause

    def reserve(self, request: BatchRequest, to_pay: float, *, who: str = "") -> float:
        """Reserve what is still to be paid for a request; returns the PU that are left then.

        May be called again: one request never counts twice. ``who`` is for people that look at the Variable.
        Raises `BudgetExceededError` if it does not fit, after some attempts.
        """
        period = self._period(self._now())
        spent = self._spent_in(period, request)
        amount = math.ceil(round((spent + to_pay) * 100, 4)) / 100
        mine = self._key(period, request.id, amount)
        for longest in (0.0, *_PAUSES):
            if longest:
                self._pause(random.uniform(0, longest))  # noqa: S311 - no secret
                # Whoever would not fit anyway must not be in the others' way.
                if self._left({**self._entries(period), (period, request.id): amount}) < 0:
                    continue
            self._store.set(mine, who or "reserved")
            remaining = self._left(self._entries(period))
            if remaining >= 0:
                self._keep_only(mine, period, request.id)
                return remaining
            self._put_spent(period, request.id, spent)
            if amount > self.limit.pu:
                break
        free = self._left(self._entries(period))
        raise BudgetExceededError(
            request.id,
            f"was not started: {to_pay:,.2f} PU do not fit the budget {self.limit.name!r} of "
            f"{self.limit.pu:,.2f} PU per {self.limit.per}, of which {free:,.2f} are left in {period}.",
        )

    def settle(self, request: BatchRequest) -> None:
        """Let what a request has spent take the place of its reservation; does nothing if it has none.

        To be called when it is over, as often as one likes.
        """
        own = [period for period, request_id in self._entries_of(request) if request_id == request.id]
        if own:
            self._put_spent(max(own), request.id, self._spent_in(max(own), request))

    def _put_spent(self, period: str, request_id: str, spent: float) -> None:
        key = self._key(period, request_id, spent) if spent > 0 else ""
        if key and key not in self._keys_of(period, request_id):
            self._store.set(key, "spent")  # before the other goes: the larger of the two counts
        self._keep_only(key, period, request_id)

    def _keep_only(self, key: str, period: str, request_id: str) -> None:
        for other in self._keys_of(period, request_id):
            if other != key:
                self._store.delete(other)

    def _spent_in(self, period: str, request: BatchRequest) -> float:
        """Return what a request has spent that does not count in an earlier period."""
        if not request.cost_pu:
            return 0.0
        known = self._entries_of(request)
        earlier = [pu for (at, name), pu in known.items() if name == request.id and at != period]
        return max(0.0, request.cost_pu - math.fsum(earlier))

    def _left(self, entries: Mapping[tuple[str, str], float]) -> float:
        now = self._now()
        start, _ = period_of(now, self.limit.per)
        return left(self.limit.pu, self.limit.per, now, spent=[Entry(start, pu) for pu in entries.values()])

    def _entries_of(self, request: BatchRequest) -> dict[tuple[str, str], float]:
        """Return the entries among which those of a request are: all, if it is older than this period."""
        start, _ = period_of(self._now(), self.limit.per)
        is_new = request.created is not None and request.created >= start
        return self._entries(self._period(start)) if is_new else self._entries()

    def _entries(self, period: str | None = None) -> dict[tuple[str, str], float]:
        """Return the PU by period and request."""
        found: dict[tuple[str, str], float] = {}
        for at, request_id, pu, _ in self._listed(period):
            found[at, request_id] = max(pu, found.get((at, request_id), 0.0))
        return found

    def _keys_of(self, period: str, request_id: str) -> list[str]:
        return [key for _, name, _, key in self._listed(period) if name == request_id]

    def _listed(self, period: str | None) -> list[tuple[str, str, float, str]]:
        prefix = f"{_ROOT}/{self.limit.name}/" + (f"{period}/" if period else "")
        listed = []
        for key in self._store.keys(prefix):
            parts = key.split("/")
            # Some databases do not tell upper from lower case.
            if key.startswith(prefix) and len(parts) == 5 and re.fullmatch(r"\d+(\.\d+)?", parts[4]):
                listed.append((parts[2], parts[3], float(parts[4]), key))
        return listed

    def _key(self, period: str, request_id: str, pu: float) -> str:
        return f"{_ROOT}/{self.limit.name}/{period}/{request_id}/{pu:.2f}"

    def _period(self, moment: datetime) -> str:
        return moment.strftime(_FORMATS[self.limit.per])


def _error(faults: Sequence[Fault]) -> DefinitionError:
    return DefinitionError(faults, "budget")
