"""The mark by which a request is found again: who asked for it, and for what."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGITS = 16
# The Dag's id is missing in marks of older versions.
_MARK = re.compile(rf"\[airflow ([0-9a-f]{{{_DIGITS}}})-([0-9a-f]{{{_DIGITS}}})(?: ([\w.-]+))?\]$")


@dataclass(frozen=True)
class Fingerprint:
    """Two short hashes that travel in the description: the API has no idempotency key of its own.

    ``dag_id`` goes with them for whoever sums up what was spent; it does not tell two marks apart.
    """

    who: str
    what: str
    dag_id: str = field(default="", compare=False)

    @classmethod
    def of(cls, who: Mapping[str, Any], definition: Mapping[str, Any]) -> Fingerprint:
        """Make the mark of a definition in its wire form, without keys; its description does not count."""
        what = {key: value for key, value in definition.items() if key != "description"}
        return cls(_hash(who), _hash(what), str(who.get("dag") or ""))

    @classmethod
    def read(cls, description: str) -> Fingerprint | None:
        """Read the mark that a description carries."""
        found = _MARK.search(description)
        return cls(*found.groups(default="")) if found else None

    @property
    def mark(self) -> str:
        """The text that a description ends with."""
        return f"[airflow {self.who}-{self.what}{' ' if self.dag_id else ''}{self.dag_id}]"

    def sign(self, description: str | None) -> str:
        """Put the mark behind a description."""
        return f"{description} {self.mark}" if description else self.mark

    def marks(self, description: str) -> bool:
        """Whether a description carries this mark."""
        return self.read(description) == self


def _hash(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
