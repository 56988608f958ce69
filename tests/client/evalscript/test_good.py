"""Scripts that work are let through, by us and by the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from client.evalscript.good import GOOD, Good

from airflow_provider_sentinelhub.client.evalscript import check
from airflow_provider_sentinelhub.sandbox.evalscript import Evalscript

NDVI = (Path(__file__).parents[3] / "example_dags" / "ndvi.js").read_text()
# What may be a mistake, and is none here.
WARNINGS = {
    "ndvi with a colour ramp and statistics": (
        "output eobrowserStats is declared but not requested, so it is not delivered",
        "output dataMask is declared but not requested, so it is not delivered",
    ),
    "a band for each day": (
        "updateOutput() changes the number of bands of output series with the scenes (3 with 3 scenes and "
        "1 with 1 scene): its tiles will differ",
    ),
}
# The sandbox does not know a helper that is in use, but documented nowhere.
UNKNOWN_TO_THE_SANDBOX = {"landsat with the default visualizer"}
CASES = {**GOOD, "the example Dag's": Good(NDVI)}


@pytest.mark.parametrize("name", CASES)
def test_good_scripts_have_no_fault(name: str) -> None:
    case = CASES[name]
    found = check(case.script, sources=case.sources, responses=case.responses)
    assert found.faults == ()
    assert found.warnings == WARNINGS.get(name, ())
    assert found.setup is not None


@pytest.mark.parametrize("name", [name for name in CASES if name not in UNKNOWN_TO_THE_SANDBOX])
def test_the_sandbox_takes_them_as_well(name: str) -> None:
    case = CASES[name]
    script = Evalscript(case.script)
    responses = case.responses or dict.fromkeys((output.id for output in script.setup.outputs), "image/tiff")
    kinds, ids = [kind for kind, _ in case.sources], [name for _, name in case.sources]
    script.check(kinds, [*responses.items()], ids=ids)
