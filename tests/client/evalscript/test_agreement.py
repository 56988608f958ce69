"""What we refuse the sandbox's analysis refuses, too, and the other way round.

The two share no code: each exception is here with its reason.
"""

from __future__ import annotations

import pytest
from client.evalscript.good import GOOD
from client.evalscript.wrong import WRONG, Wrong
from shapely import to_wkb
from shapely.geometry import box

from airflow_provider_sentinelhub.client.evalscript import check, describe
from airflow_provider_sentinelhub.sandbox.work import AnalysisError, AnalysisJob, GridJob, analyse
from airflow_provider_sentinelhub.sandbox.zarr import ZarrOutput

# Endless: each takes the sandbox its 10 s. That it stops them is tested with the sandbox.
SLOW = {"setup loops", "pixel loops"}
ONLY_WE = {
    # Refused by the sandbox when the request is created, before any analysis.
    "COG of PNG",
    # Of a Zarr array it looks at the declared bands only.
    "Zarr that grows",
}
ONLY_THE_SANDBOX = {
    # Its engine is not the service's either: we do not complain about what that may well have.
    "engine without it",
    # It lacks a helper that is documented nowhere, and in use.
    "landsat with the default visualizer",
}
CASES = {**{name: Wrong(good.script, {"sources": good.sources}) for name, good in GOOD.items()}, **WRONG}


def refused_by_the_sandbox(case: Wrong) -> bool:
    request = case.request
    zarr = request.get("output") == "zarr"
    mime = "zarr/array" if zarr else "image/tiff"
    responses = request.get("responses")
    if responses is None:
        try:
            responses = dict.fromkeys((output.id for output in describe(case.script).outputs), mime)
        except Exception:  # noqa: BLE001 (no outputs to be asked for)
            responses = {"default": mime}
    dtypes = request.get("dtypes", {})
    arrays = {name: {"dtype": dtypes.get(name, "<f4")} for name in responses}
    wire = {
        "group": {"zarr_format": 2, "coordinates": {"origin": "topLeft"}},
        "arrayParameters": {"order": "C", "chunks": [1, 500, 500], "fill_value": 0},
        "arrayOverrides": arrays,
    }
    job = AnalysisJob(
        evalscript=case.script,
        collections=tuple(kind for kind, _ in request.get("sources", [("byoc-any", None)])),
        responses=tuple(responses.items()),
        cog=request.get("cog", False),
        ids=tuple(name for _, name in request.get("sources", [("byoc-any", None)])),
        source=GridJob(1, 20, (0, 0), to_wkb(box(-119.24, 36.05, -119.23, 36.06))),
        zarr=ZarrOutput.read(wire, list(responses)) if zarr else None,
    )
    try:
        analyse(job)
    except AnalysisError:
        return True
    return False


@pytest.mark.parametrize("name", [name for name in CASES if name not in SLOW])
def test_both_refuse_the_same(name: str) -> None:
    case = CASES[name]
    ours = bool(check(case.script, **case.request).faults)
    theirs = refused_by_the_sandbox(case)
    assert (ours, theirs) == (
        (True, False) if name in ONLY_WE else (False, True) if name in ONLY_THE_SANDBOX else (ours, ours)
    )


def test_the_exceptions_are_cases() -> None:
    assert CASES.keys() >= ONLY_WE | ONLY_THE_SANDBOX | SLOW
