"""Airflow's Variables as a store that many tasks share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAGE = 1000  # of Airflow's listing


class Store(Protocol):
    """Where limits and reservations are: each call is done when it returns, and seen by all later ones."""

    def get(self, key: str) -> str | None:
        """Return a value; None if there is none."""

    def keys(self, prefix: str) -> Sequence[str]:
        """List the keys that start with a prefix."""

    def set(self, key: str, value: str) -> None:
        """Write a value."""

    def delete(self, key: str) -> None:
        """Delete a key, if it is there."""


class AirflowVariables:
    """Airflow's Variables, as a task reaches them."""

    def get(self, key: str) -> str | None:
        """Return a Variable's text; None if there is none."""
        from airflow.sdk import Variable

        value = Variable.get(key, default=None)
        return None if value is None else str(value)

    def keys(self, prefix: str) -> Sequence[str]:
        """List the keys of Variables."""
        from airflow.sdk import Variable

        found = list(Variable.keys(prefix))
        # Airflow reads page by page: what is deleted meanwhile moves others over the edge, out of sight.
        while len(found) >= _PAGE and (again := list(Variable.keys(prefix))) != found:
            found = again
        return found

    def set(self, key: str, value: str) -> None:
        """Write a Variable."""
        from airflow.sdk import Variable

        Variable.set(key, value)

    def delete(self, key: str) -> None:
        """Delete a Variable."""
        from airflow.sdk import Variable

        Variable.delete(key)
