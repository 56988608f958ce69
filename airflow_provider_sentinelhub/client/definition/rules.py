"""What the values of settings may be, and how one that is wrong is named.

A rule takes a value, its path in the author's words and the list that faults go into; it returns the value as
the API spells it. Text is read as the number or truth value that it stands for: it may come out of Jinja.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

# A longer list of names helps less than the ones that are close.
_MANY = 8
_LONGEST = 60
Rule = Callable[[Any, str, list[Fault]], Any]


def fold(name: str) -> str:
    """Reduce a name to what its spellings share: ``orbitDirection`` and ``orbit_direction`` are one."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def choices(name: str, known: Iterable[str]) -> str:
    """Return the remedy for a name that is not known: what is close to it, and what there is."""
    known = list(known)
    by_fold = {fold(one): one for one in known}
    wanted = fold(name)
    near = [one for one in by_fold if len(wanted) > 2 and wanted in one]
    near = near or difflib.get_close_matches(wanted, by_fold, n=2, cutoff=0.6)
    *others, last = [by_fold[one] for one in near] or [""]
    meant = f"Did you mean {', '.join(others)}{' or ' if others else ''}{last}?" if near else ""
    if near and len(known) > _MANY:
        return meant
    return f"{meant} Choose {'one of ' if len(known) > 1 else ''}{', '.join(known)}".strip()


def kind_of(value: Any) -> str:
    """Say what kind of value it is, without saying the value: it may be long."""
    if isinstance(value, str):
        return "a text"
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return "a number"
    return "a dict" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def shown(value: Any) -> str:
    """Return a value as Python writes it, its beginning only if it is long."""
    written = repr(value)
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}…"


@dataclass(frozen=True)
class Choice:
    """One of a few texts, in any case; ``note`` helps to choose."""

    values: tuple[str, ...]
    note: str = ""

    def __call__(self, value: Any, path: str, faults: list[Fault]) -> Any:
        """Return the text as the API spells it."""
        for one in self.values:
            if isinstance(value, str) and fold(value) == fold(one):
                return one
        remedy = choices(str(value), self.values) + self.note
        faults.append(Fault(path, f"{shown(value)} is not known", remedy))
        return value


@dataclass(frozen=True)
class Number:
    """A number from ``low`` to ``high``, both allowed; with ``above`` greater than that."""

    low: float = -math.inf
    high: float = math.inf
    above: float | None = None
    whole: bool = False
    multiple_of: int = 1

    def __call__(self, value: Any, path: str, faults: list[Fault]) -> Any:
        """Return the number."""
        number = _number(value)
        remedy = f"Give {self}"
        if number is None or (self.whole and not float(number).is_integer()):
            faults.append(
                Fault(path, f"{shown(value)} is not a {'whole ' if self.whole else ''}number", remedy)
            )
            return value
        number = int(number) if self.whole else number
        if not self.low <= number <= self.high or (self.above is not None and number <= self.above):
            faults.append(Fault(path, f"{shown(value)} is out of range", remedy))
        elif self.multiple_of > 1 and number % self.multiple_of:
            faults.append(Fault(path, f"{shown(value)} is not a multiple of {self.multiple_of}", remedy))
        return number

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        if self.multiple_of > 1:
            kind = f"a multiple of {self.multiple_of}"
        if self.above is not None:
            return f"{kind} above {self.above:g}" + (f", up to {self.high:g}" if self.high < math.inf else "")
        if self.high < math.inf:
            return f"{kind} from {self.low:g} to {self.high:g}"
        return f"{kind}, {self.low:g} or more" if self.low > -math.inf else kind


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value) if re.search(r"[.eE]", value) else int(value)
        except ValueError:
            return None
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if number else None


def flag(value: Any, path: str, faults: list[Fault]) -> Any:
    """Rule for true or false."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if not isinstance(value, bool):
        faults.append(Fault(path, f"{shown(value)} is neither true nor false", "Give True or False"))
    return value


def text(value: Any, path: str, faults: list[Fault]) -> Any:
    """Rule for a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        faults.append(
            Fault(path, f"{shown(value)} is not a text", "Give a text that is not empty, or leave it out")
        )
    return value


def json_object(value: Any, path: str, faults: list[Fault]) -> Any:
    """Rule for a dict whose content is the author's: only what JSON can hold, and no nulls."""
    if not isinstance(value, Mapping):
        faults.append(Fault(path, f"is {kind_of(value)}, not a dict", "Give a dict of names to values"))
        return value
    try:
        copy = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        faults.append(Fault(path, f"cannot be sent as JSON ({error})", "Use text, numbers, lists and dicts"))
        return value
    for where in _nulls(copy, path):
        faults.append(Fault(where, "has no value, which the service refuses", "Give it one, or leave it out"))
    return copy


def _nulls(value: Any, path: str) -> Iterable[str]:
    if value is None:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _nulls(item, f"{path}.{key}")


@dataclass(frozen=True)
class Listed:
    """A list of values that each keep to one rule."""

    rule: Rule
    length: int | None = None

    def __call__(self, value: Any, path: str, faults: list[Fault]) -> Any:
        """Return the list."""
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
            faults.append(Fault(path, f"is {kind_of(value)}, not a list", "Give a list of values"))
            return value
        items = [self.rule(item, f"{path}[{index}]", faults) for index, item in enumerate(value)]
        if self.length is not None and len(items) != self.length:
            faults.append(
                Fault(path, f"has {len(items)} values instead of {self.length}", f"Give {self.length} values")
            )
        return items


@dataclass(frozen=True)
class Settings:
    """A dict of settings that each keep to a rule; ``subject`` says whose, in a fault.

    Keys may be spelt as in the API or with underscores. Those without a value (None) are left out.
    """

    subject: str
    rules: Mapping[str, Rule]
    required: tuple[str, ...] = ()

    def __call__(self, value: Any, path: str, faults: list[Fault]) -> dict[str, Any]:
        """Return the settings as the API spells them."""
        if not isinstance(value, Mapping):
            known = ", ".join(self.rules)
            faults.append(
                Fault(path, f"is {kind_of(value)}, not a dict", f"Give a dict of settings: {known}")
            )
            return {}
        by_fold = {fold(key): key for key in self.rules}
        settled: dict[str, Any] = {}
        for key, item in value.items():
            name = by_fold.get(fold(str(key)))
            where = f"{path}.{key}"
            if name is None:
                problem = f"{self.subject} does not have this setting"
                remedy = choices(str(key), self.rules) if self.rules else "Leave it out"
                faults.append(Fault(where, problem, remedy))
            elif name in settled:
                faults.append(Fault(where, "is given twice, in two spellings", "Keep one of them"))
            elif item is not None:
                settled[name] = self.rules[name](item, where, faults)
        for name in self.required:
            if name not in settled:
                faults.append(Fault(f"{path}.{name}", "is missing", f"Add {name}: {self.subject} needs it"))
        return settled
