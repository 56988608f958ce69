"""Collects what is wrong with a body while it is walked through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox.errors import Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

NOT_IMITATED = "the sandbox does not imitate this yet"


class Findings:
    """The violations found so far; places are given as the keys that lead there."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def fail(self, at: Sequence[str], violation: str) -> None:
        """Note a violation."""
        self.violations.append(Violation("->".join(at), violation))

    def child(
        self, parent: Json, key: str, at: Sequence[str] = (), *, default: Json | None = None
    ) -> Json | None:
        """Return an object of the body; ``None`` after noting that it is missing or something else."""
        value = parent.setdefault(key, default) if default is not None else parent.get(key)
        if isinstance(value, dict):
            return value
        self.fail((*at, key), "must be given" if value is None else "must be an object")
        return None

    def choice(self, parent: Json, key: str, at: Sequence[str], choices: Sequence[str]) -> None:
        """Note a value that is none of the choices; it may be missing."""
        if key in parent and parent[key] not in choices:
            self.fail((*at, key), f"must be one of {', '.join(choices)}")
