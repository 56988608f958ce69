"""Content that lies elsewhere, at URLs that only the caller can open."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

# Returns what is at a URL. Raises `DefinitionError` for what is not there or may not be read, and whatever it
# likes for what may pass.
Opener = Callable[[str], bytes]
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\n]+", re.IGNORECASE)


def is_url(place: Any) -> bool:
    """Whether it is the URL of one thing, and nothing but that."""
    return isinstance(place, str) and _URL.fullmatch(place.strip()) is not None


def content_at(url: str, opener: Opener | None, field: str, remedy: str) -> bytes:
    """Return what is at a URL; `DefinitionError` with that field if it cannot be opened here."""
    if opener is None:
        raise DefinitionError(
            [Fault(field, f"is at {url[:200]}, which cannot be opened here", remedy)], field
        )
    try:
        return opener(url)
    except DefinitionError as error:
        raise DefinitionError([replace(fault, field=field) for fault in error.faults], field) from error
