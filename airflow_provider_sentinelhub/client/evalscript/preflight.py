"""The check of a script against its request, and the reading of what it declares."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.evalscript.engine import Engine, ScriptError
from airflow_provider_sentinelhub.client.evalscript.faults import ScriptFault
from airflow_provider_sentinelhub.client.evalscript.outputs import (
    TIFF,
    ZARR,
    output_faults,
    output_warnings,
)
from airflow_provider_sentinelhub.client.evalscript.setup import Reader, Setup
from airflow_provider_sentinelhub.client.evalscript.sources import (
    Source,
    band_faults,
    feeds,
    source_faults,
    source_warnings,
)
from airflow_provider_sentinelhub.client.evalscript.trial import Trial, failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FILTER = "preProcessScenes"
_VERSION = re.compile(r"^\s*//\s*VERSION\s*=\s*3\b", re.MULTILINE)


@dataclass(frozen=True)
class Findings:
    """What a check found.

    ``faults`` fail the request. ``warnings`` are what looks like a mistake, or what the service does with it
    is not known. ``setup`` is what the script declares, None if that could not be read.
    """

    faults: tuple[Fault, ...]
    warnings: tuple[str, ...]
    setup: Setup | None


def check(
    script: str,
    *,
    sources: Sequence[tuple[str, str | None]] = (),
    responses: Mapping[str, str] | None = None,
    output: str = "raster",
    cog: bool = False,
    dtypes: Mapping[str, str] | None = None,
) -> Findings:
    """Look for everything in a script that would fail its request.

    Runs the script in a JavaScript engine of this process, each function for at most a second of CPU time and
    within 64 MB. To be called where `can_check` is true.

    :param script: the evalscript's text
    :param sources: the request's collections, `Source` or pairs of type and id; bands and units of own
        collections are not checked, and none are where there are no sources
    :param responses: the requested outputs and their MIME types; by default all that the script declares
    :param output: ``raster`` or ``zarr``
    :param cog: whether cloud-optimised GeoTIFF is asked for
    :param dtypes: with Zarr, the ``dtype`` of each output's array, such as ``<u2``, where it is known
    """
    faults: list[ScriptFault] = []
    warnings: list[str] = []
    loaded = _load(script, faults, warnings)
    if loaded is None:
        return Findings(tuple(faults), tuple(warnings), None)
    setup, runs = loaded
    readable = not faults
    wanted = responses
    if wanted is None:
        wanted = dict.fromkeys((item.id for item in setup.outputs), ZARR if output == "zarr" else TIFF)
    known = [Source(*source) for source in sources]
    warnings += source_warnings(known)
    fed = feeds(setup, known) if setup.inputs else None
    faults += source_faults(script, setup, known) if setup.inputs else ()
    for feed in fed or ():
        faults += band_faults(script, feed)
    if setup.outputs:
        zarr = output == "zarr"
        faults += output_faults(script, setup, wanted, zarr=zarr, cog=cog, dtypes=dtypes or {})
        warnings += output_warnings(setup, wanted)
    if runs and fed and setup.outputs:
        trial = Trial(script, setup, fed, wanted, zarr=output == "zarr")
        trial.run()
        faults += trial.faults
        warnings += trial.warnings
    return Findings(tuple(faults), tuple(dict.fromkeys(warnings)), setup if readable else None)


def describe(script: str) -> Setup:
    """Return what the script's ``setup()`` declares.

    :raises DefinitionError: it cannot be read; the faults say why
    """
    faults: list[ScriptFault] = []
    loaded = _load(script, faults, [], needed=("setup",))
    if loaded is None or faults:
        raise DefinitionError(faults, "evalscript")
    return loaded[0]


def _load(
    script: str,
    faults: list[ScriptFault],
    warnings: list[str],
    needed: Sequence[str] = ("setup", "evaluatePixel"),
) -> tuple[Setup, bool] | None:
    """Run ``setup()``; return what it declares and whether pixels can be tried."""
    version = _VERSION.search(script)
    if not version:
        faults.append(
            ScriptFault("evalscript", "does not say its version", "Make //VERSION=3 its first line")
        )
        return None
    if script[: version.start()].strip():
        warnings.append("//VERSION=3 is not the first line: whether it counts further down is not known")
    where = "the script"
    try:
        engine = Engine(script)
        there = engine.call("functions", [*needed, _FILTER])
        for name in needed:
            if name not in there:
                problem = f"Failed to evaluate script! ReferenceError: {name} is not defined"
                faults.append(ScriptFault("evalscript", problem, f"Write a function {name}()"))
        if "setup" not in there:
            return None
        where = "setup()"
        raw = engine.call("setup")
    except ScriptError as error:
        faults.append(failure(error, where))
        return None
    reader = Reader(script)
    setup = replace(reader.read(raw), filters_scenes=_FILTER in there)
    faults += reader.faults
    warnings += reader.warnings
    return setup, reader.mosaicked and {*needed} <= {*there}
