"""Faults on demand: rules that make calls, tiles or whole requests go wrong.

HTTP faults meet a call: ``rate_limit``, ``server_error``, ``client_error``, ``drop``, ``latency``,
``garbage``. They match ``method`` (default any) and ``path``, a glob on the path after the prefix, e.g.
``/process/*``. The default is every batch call; the token endpoint, the Process API and the Catalog are met
only by patterns that begin with ``/token``, ``/v1/process`` and ``/v1/catalog``.

Request faults meet a batch request: ``tile_failure``, ``tile_no_data``, ``out_of_pu``, ``unhealthy``,
``analysis_failure``, ``processing_failure``, ``bucket_denied``, ``unknown_status``. With ``request`` they
meet that one, without it the next that come by.

All take ``times`` (how often; default 1, ``null`` for ever), ``skip`` (let the first n pass) and
``probability`` with ``seed``. For a request fault, one time is one request; for ``unknown_status``, one
answer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox.errors import Violation, bad_payload
from airflow_provider_sentinelhub.sandbox.steering import is_number, is_whole

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.sandbox.store import Store

_COMMON: dict[str, Any] = {"times": 1, "skip": 0, "probability": 1.0, "seed": 0}
_HTTP: dict[str, Any] = {**_COMMON, "method": None, "path": None}
_REQUEST: dict[str, Any] = {**_COMMON, "request": None}

# kind -> its keys with their defaults; anything else in a rule is refused.
HTTP_KINDS: dict[str, dict[str, Any]] = {
    "rate_limit": {**_HTTP, "retry_after_ms": None, "wrapped": False},
    "server_error": {**_HTTP, "status": 503, "body": "json"},
    "client_error": {**_HTTP, "status": 400, "message": "Bad request.", "code": "COMMON_BAD_PAYLOAD"},
    "drop": {**_HTTP, "when": "before"},
    "latency": {**_HTTP, "seconds": 1.0},
    "garbage": {**_HTTP},
}
REQUEST_KINDS: dict[str, dict[str, Any]] = {
    "tile_failure": {**_REQUEST, "count": 1, "names": None, "error": "Failed to process the feature."},
    "tile_no_data": {**_REQUEST, "count": 1, "names": None},
    "out_of_pu": {**_REQUEST, "after_tiles": 0},
    "unhealthy": {**_REQUEST, "after_tiles": 0},
    "analysis_failure": {**_REQUEST, "error": "Analysis failed."},
    "processing_failure": {**_REQUEST, "after_tiles": 0, "error": "Processing failed."},
    "bucket_denied": {**_REQUEST, "phase": "processing"},
    "unknown_status": {**_REQUEST, "status": "ARCHIVED"},
}
_STOPPING = {"out_of_pu", "unhealthy", "processing_failure"}
_CHOICES = {
    "body": ("json", "html", "empty"),
    "when": ("before", "after"),
    "phase": ("create", "analysis", "processing"),
}
_BY_NAME_ONLY = ("/token", "/v1/process", "/v1/catalog")  # calls that no other pattern meets
_NULLABLE = {"times", "method", "path", "request", "names", "retry_after_ms"}


@dataclass
class Fault:
    """A rule and what has become of it."""

    id: int
    rule: dict[str, Any]
    seen: int = 0  # calls or requests that matched, those let pass included
    hits: int = 0
    bound: list[str] = field(default_factory=list)  # requests this fault belongs to
    passed: list[str] = field(default_factory=list)  # requests it let pass
    fired: list[str] = field(default_factory=list)  # requests it has already stopped once

    @property
    def kind(self) -> str:
        """The rule's kind."""
        return str(self.rule["kind"])

    def state(self) -> dict[str, Any]:
        """Return what is stored besides the rule."""
        return {
            "seen": self.seen,
            "hits": self.hits,
            "bound": self.bound,
            "passed": self.passed,
            "fired": self.fired,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the rule with its id and counts."""
        return {"id": self.id, **self.rule, "seen": self.seen, "hits": self.hits}

    def strikes(self) -> bool:
        """Count a match and say whether it is one that goes wrong."""
        times = self.rule["times"]
        if times is not None and self.hits >= times:
            return False
        self.seen += 1
        if self.seen <= self.rule["skip"]:
            return False
        # Seeded by the number of the match, so that the same calls fail after a restart as would have
        # without.
        chance = random.Random(f"{self.rule['seed']}:{self.seen}")  # noqa: S311
        if chance.random() >= self.rule["probability"]:
            return False
        self.hits += 1
        return True


class Faults:
    """The rules in force; they survive a restart, with their counts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._faults = {number: Fault(number, rule, **state) for number, rule, state in store.faults()}

    def add(self, rule: object) -> Fault:
        """Add a rule, or refuse it with a 400 that names each fault of it."""
        checked = _checked(rule)
        fault = Fault(self._store.add_fault(checked, {}), checked)
        self._faults[fault.id] = fault
        return fault

    def all(self) -> list[Fault]:
        """Return all rules, oldest first."""
        return list(self._faults.values())

    def remove(self, fault_id: int | None = None) -> bool:
        """Remove one rule, or all; ``False`` if there is no such rule."""
        if fault_id is not None and fault_id not in self._faults:
            return False
        self._store.delete_fault(fault_id)
        if fault_id is None:
            self._faults.clear()
        else:
            del self._faults[fault_id]
        return True

    def on_call(self, method: str, path: str) -> Fault | None:
        """Return the first HTTP fault that strikes this call."""
        for fault in self._faults.values():
            if fault.kind in HTTP_KINDS and _meets(fault.rule, method, path):
                strikes = fault.strikes()
                self._store.save_fault(fault.id, fault.state())
                if strikes:
                    return fault
        return None

    def on_request(self, kind: str, request_id: str, *, phase: str | None = None) -> Fault | None:
        """Return the first fault of this kind, and for this phase, that holds for a request; binds it."""
        for fault in self._faults.values():
            if fault.kind != kind or fault.rule["request"] not in (None, request_id):
                continue
            if fault.rule.get("phase") != phase:
                continue
            if request_id not in fault.bound and request_id not in fault.passed:
                (fault.bound if fault.strikes() else fault.passed).append(request_id)
                self._store.save_fault(fault.id, fault.state())
            if request_id in fault.bound:
                return fault
        return None

    def may_stop(self, request_id: str) -> bool:
        """Tell whether a rule may stop a request after some number of tiles."""
        return any(
            fault.kind in _STOPPING and fault.rule["request"] in (None, request_id)
            for fault in self._faults.values()
        )

    def once(self, kind: str, request_id: str, tiles_done: int) -> Fault | None:
        """Like `on_request` for faults that stop a request: due ``after_tiles``, once per request."""
        fault = self.on_request(kind, request_id)
        if fault is None or request_id in fault.fired or tiles_done < fault.rule["after_tiles"]:
            return None
        fault.fired.append(request_id)
        self._store.save_fault(fault.id, fault.state())
        return fault

    def on_answer(self, request_id: str) -> str | None:
        """Return the status to show in place of the real one, if a fault says so."""
        for fault in self._faults.values():
            if fault.kind == "unknown_status" and fault.rule["request"] in (None, request_id):
                strikes = fault.strikes()
                self._store.save_fault(fault.id, fault.state())
                if strikes:
                    return str(fault.rule["status"])
        return None


def names_tile(fault: Fault, ordinal: int, name: str) -> bool:
    """Tell whether a tile fault holds for this tile: by name, or the first ``count`` of the request."""
    names = fault.rule["names"]
    return name in names if names is not None else ordinal < fault.rule["count"]


def _meets(rule: Mapping[str, Any], method: str, path: str) -> bool:
    if rule["method"] not in (None, method):
        return False
    pattern = rule["path"] or "*"
    if any(path.startswith(name) and not pattern.startswith(name) for name in _BY_NAME_ONLY):
        return False
    return fnmatchcase(path, pattern)


def _checked(rule: object) -> dict[str, Any]:
    """Return the rule with its defaults."""
    kinds = {**HTTP_KINDS, **REQUEST_KINDS}
    if not isinstance(rule, Mapping) or rule.get("kind") not in list(kinds):
        raise bad_payload(f"A fault is an object with a kind, one of {', '.join(kinds)}.")
    defaults = kinds[rule["kind"]]
    given = {key: value for key, value in rule.items() if key != "kind"}
    violations = [
        Violation(str(key), f"unknown for this kind; known are {', '.join(sorted(defaults))}")
        for key in given
        if key not in defaults
    ]
    checked = {"kind": rule["kind"], **defaults, **{key: given[key] for key in given if key in defaults}}
    violations += [Violation(key, why) for key in defaults if (why := _fault(key, checked[key]))]
    if violations:
        raise bad_payload("The fault is not usable.", violations)
    return checked


def _fault(key: str, value: object) -> str | None:  # noqa: PLR0911 - one line per sort of key
    """Say what is wrong with one key of a rule."""
    if value is None:
        return None if key in _NULLABLE else "must not be null"
    if key in _CHOICES:
        return None if value in _CHOICES[key] else f"must be one of {', '.join(_CHOICES[key])}"
    if key in {"probability", "seconds"}:
        return None if is_number(value) and value >= 0 else "must be a number, 0 or more"
    if key in {"times", "skip", "count", "after_tiles", "retry_after_ms"}:
        return None if is_whole(value) and value >= 0 else "must be a whole number, 0 or more"
    if key == "status" and not isinstance(value, str):
        return None if is_whole(value) and 400 <= value <= 599 else "must be an HTTP status from 400 to 599"
    if key == "names":
        usable = isinstance(value, list) and all(isinstance(name, str) for name in value)
        return None if usable else "must be a list of tile names"
    if key == "wrapped":
        return None if isinstance(value, bool) else "must be true or false"
    if key in {"method", "path", "request", "message", "code", "error", "status"}:
        return None if isinstance(value, str) else "must be a text"
    return None
