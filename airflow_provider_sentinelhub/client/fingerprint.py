"""The mark by which a request is found again: who asked for it, and for what."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIGITS = 16
_MARK = re.compile(rf"\[airflow ([0-9a-f]{{{_DIGITS}}})-([0-9a-f]{{{_DIGITS}}})\]$")


@dataclass(frozen=True)
class Fingerprint:
    """Two short hashes that travel in the description: the API has no idempotency key of its own."""

    who: str
    what: str

    @classmethod
    def of(cls, who: Mapping[str, Any], definition: Mapping[str, Any]) -> Fingerprint:
        """Make the mark of a definition in its wire form, without keys; its description does not count."""
        what = {key: value for key, value in definition.items() if key != "description"}
        return cls(_hash(who), _hash(what))

    @classmethod
    def read(cls, description: str) -> Fingerprint | None:
        """Read the mark that a description carries."""
        found = _MARK.search(description)
        return cls(*found.groups()) if found else None

    @property
    def mark(self) -> str:
        """The text that is looked for."""
        return f"[airflow {self.who}-{self.what}]"

    def sign(self, description: str | None) -> str:
        """Put the mark behind a description."""
        return f"{description} {self.mark}" if description else self.mark

    def marks(self, description: str) -> bool:
        """Whether a description carries this mark."""
        return self.read(description) == self


def _hash(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
