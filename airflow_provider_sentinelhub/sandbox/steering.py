"""What may be set from outside: how fast things go, how long tokens live, what is left on the account.

A phase is paced in ``seconds`` (of the sandbox's clock), in ``polls`` (GETs of that request) or, for
processing, in ``tile_seconds``. A pace is a lower bound: work is never reported before it is done.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from airflow_provider_sentinelhub.sandbox.errors import Violation, bad_payload

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.sandbox.store import Store

DEFAULT_BALANCE_PU = 10_000_000.0

DEFAULTS: dict[str, Any] = {
    "analysis": {"seconds": 0.0},
    "processing": {"seconds": 0.0},
    "pickup": {"seconds": 0.0},
    "not_found_after_create": {"seconds": 0.0},
    "stale_status": {"polls": 0},
    "token_lifetime": 3600,
    "page_size": 100,
    "latency_seconds": 0.0,
    "execution_upload_seconds": 2.0,
}

_UNITS = {
    "analysis": ("seconds", "polls"),
    "processing": ("seconds", "polls", "tile_seconds"),
    "pickup": ("seconds", "polls"),
    "not_found_after_create": ("seconds", "polls"),
    "stale_status": ("polls",),
}
_WHOLE_NUMBERS = {"token_lifetime", "page_size"}  # at least 1


@dataclass(frozen=True)
class Pace:
    """How fast a phase goes; at most one of the three is not zero."""

    seconds: float = 0.0
    polls: int = 0
    tile_seconds: float = 0.0

    def allowed(self, elapsed: float, polls: int, total: int) -> int:
        """Return how many of ``total`` steps may have been made after this time and this many polls."""
        if self.polls:
            return min(total, math.floor(total * polls / self.polls))
        duration = self.seconds or self.tile_seconds * total
        if duration <= 0 or elapsed >= duration:
            return total
        return max(0, math.floor(total * elapsed / duration))

    def due(self, elapsed: float, step: int, total: int) -> float | None:
        """Return the seconds until ``step`` of ``total`` may be made; ``None`` if polls decide that."""
        if self.polls:
            return None
        duration = self.seconds or self.tile_seconds * total
        return max(0.0, duration * step / max(total, 1) - elapsed)


class Steering:
    """The settings in force; they survive a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._values: dict[str, Any] = {**DEFAULTS, **store.setting("steering", {})}

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def pace(self, phase: str) -> Pace:
        """Return the pace of a phase; the keys of ``DEFAULTS`` whose value is an object name them."""
        return Pace(**self._values[phase])

    def to_json(self) -> dict[str, Any]:
        """Return all settings; ``balance_pu`` is what is left to the default account."""
        return {**self._values, "balance_pu": self._store.accounts()[0].balance_pu}

    def merge(self, patch: object) -> None:
        """Take over the settings given, or refuse them all with a 400 that names each fault."""
        if not isinstance(patch, Mapping):
            raise bad_payload("Steering must be a JSON object.")
        faults = [Violation(str(key), why) for key, value in patch.items() if (why := _fault(key, value))]
        if faults:
            raise bad_payload("Unknown or unusable settings.", faults)
        if "balance_pu" in patch:
            self._store.set_balance(float(patch["balance_pu"]))
        self._values.update({key: value for key, value in patch.items() if key != "balance_pu"})
        self._store.set_setting("steering", self._values)

    def reset(self) -> None:
        """Go back to the defaults, the balance included."""
        self._values = dict(DEFAULTS)
        self._store.set_setting("steering", {})
        self._store.set_balance(DEFAULT_BALANCE_PU)


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a JSON value is a finite number; ``true`` is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond any float
        return False


def is_whole(value: object) -> TypeGuard[float]:
    """Tell whether a JSON value is a whole number; ``1.0`` is one."""
    return is_number(value) and float(value).is_integer()


def _fault(key: object, value: object) -> str | None:
    """Say what is wrong with a setting."""
    if key in _UNITS:
        return _pace_fault(value, _UNITS[str(key)])
    if key in _WHOLE_NUMBERS:
        return None if is_whole(value) and value >= 1 else "must be a whole number, 1 or more"
    if key in DEFAULTS or key == "balance_pu":
        return None if is_number(value) and value >= 0 else "must be a number, 0 or more"
    return f"unknown; known are {', '.join(sorted([*DEFAULTS, 'balance_pu']))}"


def _pace_fault(value: object, units: tuple[str, ...]) -> str | None:
    wanted = f"must be an object with one of {', '.join(units)}, 0 or more"
    if not isinstance(value, Mapping) or len(value) != 1:
        return wanted
    [(unit, amount)] = value.items()
    usable = unit in units and is_number(amount) and amount >= 0
    if usable and unit == "polls":
        usable = is_whole(amount)
    return None if usable else wanted
