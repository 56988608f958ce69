"""What calls that create or process must look like: all faults are named at once.

The evalscript itself is not looked at (documented for batch requests). Keys nobody knows are accepted,
``null`` is not (both seen in the wild). Wordings are assumed.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.sandbox.definition import EXTENSIONS, ZARR
from airflow_provider_sentinelhub.sandbox.errors import Violation, bad_payload
from airflow_provider_sentinelhub.sandbox.validation.findings import Findings, Json
from airflow_provider_sentinelhub.sandbox.validation.geopackage import GeoPackageFindings
from airflow_provider_sentinelhub.sandbox.validation.image import IMAGE_FORMATS, ImageFindings
from airflow_provider_sentinelhub.sandbox.validation.output import OutputFindings
from airflow_provider_sentinelhub.sandbox.validation.process import NO_EVALSCRIPT, ProcessFindings
from airflow_provider_sentinelhub.sandbox.validation.zarr import ZarrFindings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["validated", "validated_image"]


def validated(body: object) -> Json:
    """Return a copy of a create body with defaults filled in; raises a 400 that names all its faults."""
    return _checked(body, _violations)


def validated_image(body: object) -> Json:
    """Return a copy of a body of the Process API with defaults filled in, the size in pixels among them;
    raises a 400 that names all its faults.
    """
    return _checked(body, _image_violations)


def _checked(body: object, check: Callable[[Json], list[Violation]]) -> Json:
    if not isinstance(body, dict) or not body:
        raise bad_payload("Request body should be non-empty.")
    body = copy.deepcopy(body)
    violations = [Violation("->".join(path), "must not be null") for path in _nulls(body, ())] or check(body)
    if violations:
        only_the_script = [violation.violation for violation in violations] == [NO_EVALSCRIPT]
        raise bad_payload(NO_EVALSCRIPT if only_the_script else "The request is not valid.", violations)
    return body


def _violations(body: Json) -> list[Violation]:
    top, around = Findings(), OutputFindings()
    features, arrays = GeoPackageFindings(), ZarrFindings()
    process, grid, output = (top.child(body, key) for key in ("processRequest", "input", "output"))
    if not isinstance(body.get("description", ""), str):
        top.fail(("description",), "must be a text")
    from_file = grid is not None and grid.get("type") == "geopackage"
    zarr = output is not None and output.get("type") == "zarr"
    formats = (ZARR,) if zarr else tuple(EXTENSIONS)
    inside = ProcessFindings(("processRequest",), formats, default="image/tiff")
    if process is not None:
        inside.check(process, bounds_needed=not from_file)
    if grid is not None and from_file:
        features.check(grid)
    elif grid is not None:
        around.check_grid(grid)
    if output is not None:
        around.check_output(output, _responses(process))
        if zarr:
            arrays.check(output, grid, [identifier for identifier, _ in _responses(process)])
    found = (top, inside, features, around, arrays)
    return [violation for findings in found for violation in findings.violations]


def _image_violations(body: Json) -> list[Violation]:
    inside, around = ProcessFindings((), IMAGE_FORMATS, default=IMAGE_FORMATS[0]), ImageFindings()
    output = body.setdefault("output", {})
    responses = output.get("responses") if isinstance(output, dict) else None
    for response in responses if isinstance(responses, list) else ():
        if isinstance(response, dict):
            response.setdefault("format", {"type": IMAGE_FORMATS[0]})  # documented
    inside.check(body, bounds_needed=True)
    if isinstance(output, dict):
        around.check(output, None if inside.violations else body["input"]["bounds"])
    return [*inside.violations, *around.violations]


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
