"""A fault that may have a place in the script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence, Sized

_FEW = 6
_SHORT = 4


@dataclass(frozen=True)
class ScriptFault(Fault):
    """A fault of an evalscript; ``line`` and ``column`` count from 1 and are None where no place is known."""

    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = f", line {self.line}, column {self.column}" if self.line else ""
        return f"{self.field}{place}: {self.problem}. {self.remedy}"


def place_of(source: str, text: str) -> tuple[int, int] | tuple[None, None]:
    """Find the place of a quoted text in a script, if it is there exactly once."""
    found = list(re.finditer(f"([\"'`]){re.escape(text)}\\1", source))
    if len(found) != 1:
        return None, None
    before = source[: found[0].start()]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def listed(names: Iterable[object]) -> str:
    """Write names one after the other."""
    return ", ".join(map(str, names))


def choice(name: str, offered: Sequence[str]) -> str:
    """Say what to write instead of a name that is not among those offered."""
    folded = {_folded(candidate): candidate for candidate in offered}
    # B10 is not B12 misspelt: short names must be equal but for case and zeros.
    close = get_close_matches(_folded(name), folded, n=1, cutoff=0.7 if len(name) > _SHORT else 1)
    if close and len(offered) > _FEW:
        return f"Write {folded[close[0]]}, if that is what was meant"
    return f"Choose among {listed(offered)}"


def _folded(name: str) -> str:
    return re.sub(r"(?<!\d)0+(?=\d)", "", name.casefold())


def either(names: Sequence[object]) -> str:
    """Write alternatives."""
    return f"{listed(names[:-1])} or {names[-1]}" if len(names) > 1 else str(names[0])


def counted(things: Sized | int, name: str) -> str:
    """Write a number of things."""
    number = things if isinstance(things, int) else len(things)
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
