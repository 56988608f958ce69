"""CQL2 filters of a search: comparisons of `QUERYABLES`, joined with ``and``."""

from __future__ import annotations

import json
from typing import Any

from cql2 import Expr, parse_json, parse_text

from airflow_provider_sentinelhub.sandbox.errors import ApiError, bad_payload

#: What filters may name, as JSON Schema: Sentinel-2's only (documented).
QUERYABLES: dict[str, dict[str, Any]] = {
    "eo:cloud_cover": {"description": "Cloud Cover", "type": "number", "minimum": 0, "maximum": 100}
}
LANGUAGES = ("cql2-text", "cql2-json")

_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=", "between")


def parsed_filter(raw: object, language: object) -> str:
    """Return a filter as CQL2 in JSON; raises 400 for one the service does not take.

    Without ``filter-lang`` a text is text and an object JSON (assumed).
    """
    written = "cql2-text" if isinstance(raw, str) else "cql2-json"
    if language is not None and language not in LANGUAGES:
        raise bad_payload(f"filter-lang must be one of {', '.join(LANGUAGES)}.")
    if language not in (None, written) or not isinstance(raw, (str, dict)):
        raise bad_payload(f"filter is not {language or 'CQL2'}.")
    try:
        expression = parse_text(raw) if isinstance(raw, str) else parse_json(json.dumps(raw))
    except Exception as error:  # the library's own errors derive from nothing closer
        raise bad_payload(f"filter is not valid CQL2: {error}") from error
    tree = expression.to_json()
    _check(tree)
    return json.dumps(tree)


def expression(text: str) -> Expr:
    """Return what `parsed_filter` returned as something that matches a dictionary of `QUERYABLES`."""
    return parse_json(text)


def _check(tree: object) -> None:
    if not isinstance(tree, dict) or "op" not in tree:
        raise bad_payload("filter must be a comparison, or several of them joined with and.")
    operator, arguments = tree["op"], tree.get("args", [])
    if operator == "and":
        for argument in arguments:
            _check(argument)
        return
    if operator not in _COMPARISONS:
        allowed = f"and, {', '.join(_COMPARISONS)}"
        raise bad_payload(f"filter: operator '{operator}' is not supported, only {allowed}.")
    if len(arguments) != (3 if operator == "between" else 2):
        raise bad_payload(f"filter: wrong number of arguments of '{operator}'.")
    raise_for = [_fault(argument) for argument in arguments]
    first = next((fault for fault in raise_for if fault), None)
    if first:
        raise first
    if sum(isinstance(argument, dict) for argument in arguments) != 1:
        raise bad_payload(f"filter: '{operator}' must compare a property with a number.")


def _fault(argument: object) -> ApiError | None:
    if isinstance(argument, dict):
        name = argument.get("property")
        if name not in QUERYABLES:
            return bad_payload(f"filter: '{name}' is no queryable property, only {', '.join(QUERYABLES)}.")
        return None
    if isinstance(argument, bool) or not isinstance(argument, (int, float)):
        return bad_payload("filter: eo:cloud_cover is compared with numbers.")
    return None
