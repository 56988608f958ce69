"""What the price needs to know of an evalscript: its input bands, sample types and mosaicking."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

_CPU_SECONDS = 2
_MEMORY = 64 * 1024 * 1024
_MOSAICKINGS = ("SIMPLE", "ORBIT", "TILE")
_FREE = "dataMask"  # not counted, unless it is the only one

# Names that the service defines for scripts; what they do does not matter to setup().
_HOST = """
var SampleType = new Proxy({}, {get: (_, name) => String(name)});
var Mosaicking = SampleType, DataCollection = SampleType;
class ColorRampVisualizer {}; class ColorMapVisualizer {}; class HighlightCompressVisualizer {};
class ColorGradientVisualizer {};
for (const name of ["createRedTemperature", "createWhiteGreen", "createBlueRed", "createOceanColor"])
  ColorRampVisualizer[name] = () => new ColorRampVisualizer();
var blueRed = [], redTemperature = [], greenWhite = [], JAVA_DOUBLE_MAX_VAL = Number.MAX_VALUE;
"""
_ASK = """
JSON.stringify((() => {
  const {input, output, mosaicking} = setup();
  return {input, output, mosaicking, filters: typeof preProcessScenes === "function"};
})())
"""


@dataclass(frozen=True)
class Input:
    """The bands of one input, with the datasource and mosaicking it names, if it does."""

    bands: tuple[str, ...]
    datasource: str | None = None
    mosaicking: str | None = None


@dataclass(frozen=True)
class Script:
    """What ``setup()`` says: inputs, sample types by output id, and mosaicking (SIMPLE, ORBIT or TILE).

    ``filters_scenes``: it has a ``preProcessScenes``, which may leave scenes out.
    """

    inputs: tuple[Input, ...]
    sample_types: Mapping[str, str] = field(default_factory=dict)
    mosaicking: str = "SIMPLE"
    filters_scenes: bool = False

    def bands_of(self, sources: int) -> int:
        """Return the number of bands that count, of a request with so many sources."""
        if sources == 1:  # several inputs then mean the same collection
            named = {("", band) for one in self.inputs for band in one.bands}
        else:
            named = {
                (one.datasource or str(position), band)
                for position, one in enumerate(self.inputs)
                for band in one.bands
            }
        return max(1, sum(band != _FREE for _, band in named))

    def mosaicking_of(self, identifier: str | None, position: int) -> str:
        """Return the mosaicking of a source; that of its input comes before the script's."""
        for number, one in enumerate(self.inputs):
            own = one.datasource == identifier if one.datasource is not None else number == position
            if own and one.mosaicking:
                return one.mosaicking
        return self.mosaicking


def read_script(source: str) -> Script:
    """Run ``setup()`` of an evalscript; `DefinitionError` if it cannot be. Needs the ``evalscript`` extra."""
    if importlib.util.find_spec("quickjs") is None:
        raise _fault("cannot be read", "Install airflow-provider-sentinelhub[evalscript], or give a Script")
    import quickjs

    context = quickjs.Context()
    context.set_time_limit(_CPU_SECONDS)
    context.set_memory_limit(_MEMORY)
    try:
        context.eval(_HOST)
        context.eval(source)
        said = json.loads(context.eval(_ASK))
        return _script(said)
    except quickjs.JSException as error:
        first = (str(error).strip().splitlines() or ["fails"])[0]
        raise _fault(f"fails in setup(): {first}", "Mend the script") from error
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise _fault("has a setup() without input bands and outputs", "Let it return both") from error


def _script(said: dict[str, Any]) -> Script:
    given = said["input"] if isinstance(said["input"], list) else [said["input"]]
    plain = tuple(one for one in given if isinstance(one, str))
    inputs = [Input(plain)] if plain else []
    for one in given:
        if not isinstance(one, str):
            bands = [one["bands"]] if isinstance(one["bands"], str) else one["bands"]
            inputs.append(Input(tuple(bands), one.get("datasource"), _mosaicking(one.get("mosaicking"))))
    if not any(one.bands for one in inputs):
        raise ValueError("no bands")
    outputs = said["output"] if isinstance(said["output"], list) else [said["output"]]
    types = {one.get("id") or "default": str(one.get("sampleType") or "AUTO").upper() for one in outputs}
    return Script(
        tuple(inputs), types, _mosaicking(said.get("mosaicking")) or "SIMPLE", bool(said["filters"])
    )


def _mosaicking(value: Any) -> str | None:
    if value is not None and value not in _MOSAICKINGS:
        raise _fault(f"has mosaicking {value!r}", f"Choose one of {', '.join(_MOSAICKINGS)}")
    return None if value is None else str(value)


def _fault(problem: str, remedy: str) -> DefinitionError:
    return DefinitionError([Fault("evalscript", problem, remedy)], "price")
