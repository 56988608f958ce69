"""What a create call must look like: all faults are named at once.

The evalscript is not looked at (documented). Keys nobody knows are accepted, ``null`` is not (both seen in
the wild). Wordings are assumed.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.sandbox.errors import Violation, bad_payload
from airflow_provider_sentinelhub.sandbox.validation.findings import Findings, Json
from airflow_provider_sentinelhub.sandbox.validation.geopackage import GeoPackageFindings
from airflow_provider_sentinelhub.sandbox.validation.output import OutputFindings
from airflow_provider_sentinelhub.sandbox.validation.process import NO_EVALSCRIPT, ProcessFindings
from airflow_provider_sentinelhub.sandbox.validation.zarr import ZarrFindings

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["validated"]


def validated(body: object) -> Json:
    """Return a copy of a create body with defaults filled in; raises a 400 that names all its faults."""
    if not isinstance(body, dict) or not body:
        raise bad_payload("Request body should be non-empty.")
    body = copy.deepcopy(body)
    violations = _violations(body)
    if violations:
        only_the_script = [violation.violation for violation in violations] == [NO_EVALSCRIPT]
        raise bad_payload(NO_EVALSCRIPT if only_the_script else "The request is not valid.", violations)
    return body


def _violations(body: Json) -> list[Violation]:
    top, inside, around = Findings(), ProcessFindings(), OutputFindings()
    features, arrays = GeoPackageFindings(), ZarrFindings()
    for path in _nulls(body, ()):
        top.fail(path, "must not be null")
    if top.violations:
        return top.violations
    process, grid, output = (top.child(body, key) for key in ("processRequest", "input", "output"))
    if not isinstance(body.get("description", ""), str):
        top.fail(("description",), "must be a text")
    from_file = grid is not None and grid.get("type") == "geopackage"
    if process is not None:
        inside.check(
            process,
            bounds_needed=not from_file,
            zarr=output is not None and output.get("type") == "zarr",
        )
    if grid is not None and from_file:
        features.check(grid)
    elif grid is not None:
        around.check_grid(grid)
    if output is not None:
        around.check_output(output, _responses(process))
        if output.get("type") == "zarr":
            arrays.check(output, grid, [identifier for identifier, _ in _responses(process)])
    found = (top, inside, features, around, arrays)
    return [violation for findings in found for violation in findings.violations]


def _responses(process: Json | None) -> list[tuple[str, str]]:
    """Return the responses as far as they can be read from a body that may be faulty."""
    try:
        return [(r["identifier"], r["format"]["type"]) for r in process["output"]["responses"]]  # type: ignore[index]
    except (KeyError, TypeError):
        return []


def _nulls(value: object, at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if value is None:
        yield at
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _nulls(item, (*at, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _nulls(item, (*at[:-1], f"{at[-1] if at else ''}[{index}]"))
