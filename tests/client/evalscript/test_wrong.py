"""Each fault of a script, in the words that its author reads."""

from __future__ import annotations

import pytest
from client.evalscript.wording import WORDING
from client.evalscript.wrong import NDVI, WRONG

from airflow_provider_sentinelhub.client.errors import DefinitionError
from airflow_provider_sentinelhub.client.evalscript import ScriptFault, check


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str) -> None:
    case = WRONG[name]
    found = check(case.script, **case.request)
    assert (*map(str, found.faults), *(f"warning: {text}" for text in found.warnings)) == WORDING[name]


def test_places_can_be_told_from_the_text() -> None:
    (fault,) = check(NDVI.replace("index(", "indx(")).faults
    assert isinstance(fault, ScriptFault)
    assert (fault.field, fault.line, fault.column) == ("evalscript", 9, 11)
    assert str(DefinitionError([fault])) == (
        "The batch request cannot work, one fault:\n  - evalscript, line 9, column 11: Failed to evaluate "
        "script! ReferenceError: indx is not defined. Mend the script"
    )


def test_a_place_that_is_not_sure_is_not_given() -> None:
    twice = NDVI.replace('["B04", "B08"]', '["B99"]').replace(
        "function evaluate", 'var b = "B99";\nfunction evaluate'
    )
    (fault,) = check(twice, sources=[("sentinel-2-l1c", None)]).faults
    assert isinstance(fault, ScriptFault)
    assert fault.line is None


def test_a_script_cannot_reach_out() -> None:
    for name in ("require", "std", "os", "fetch", "process", "host", "sources"):
        assert check(NDVI.replace("return {", f"{name}.x;\n  return {{")).faults, name
