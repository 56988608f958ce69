"""A look at an evalscript before anything is created: the service checks it only in the analysis.

Needs the ``evalscript`` extra (QuickJS); nothing of the script but its top level and ``setup()`` is run.
"""

from __future__ import annotations

import importlib.util
import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CPU_SECONDS = 2
_MEMORY = 64 * 1024 * 1024
# Names that the service defines for scripts; what they do does not matter to setup().
_HOST = """
var SampleType = Object.fromEntries(
  ["INT8", "UINT8", "INT16", "UINT16", "FLOAT32", "AUTO"].map(name => [name, name]));
var Mosaicking = {SIMPLE: "SIMPLE", ORBIT: "ORBIT", TILE: "TILE"};
var DataCollection = new Proxy({}, {get: (_, name) => String(name)});
class ColorRampVisualizer {}; class ColorMapVisualizer {}; class HighlightCompressVisualizer {};
class ColorGradientVisualizer {};
for (const name of ["createRedTemperature", "createWhiteGreen", "createBlueRed", "createOceanColor"])
  ColorRampVisualizer[name] = () => new ColorRampVisualizer();
var blueRed = [], redTemperature = [], greenWhite = [], JAVA_DOUBLE_MAX_VAL = Number.MAX_VALUE;
"""
_ASK = """
JSON.stringify((() => {
  const missing = ["setup", "evaluatePixel"].filter(name => typeof globalThis[name] !== "function");
  if (missing.length) return {missing};
  const output = setup().output;
  return {outputs: (Array.isArray(output) ? output : [output]).map(o => (o && o.id) || "default")};
})())
"""


def can_check() -> bool:
    """Whether the ``evalscript`` extra is installed."""
    return importlib.util.find_spec("quickjs") is not None


def faults(source: str, outputs: Sequence[str]) -> Iterator[Fault]:
    """Name what is wrong with a script: its syntax, missing functions, outputs it does not declare."""
    if not re.match(r"\s*//\s*VERSION\s*=\s*3", source):
        yield Fault("evalscript", "does not say its version", "Make //VERSION=3 its first line")
        return
    try:
        answer = _run(source)
    except RuntimeError as error:
        yield Fault("evalscript", str(error), "Mend the script")
        return
    for name in answer.get("missing", ()):
        yield Fault(
            "evalscript", f"has no function {name}()", "An evalscript needs setup() and evaluatePixel()"
        )
    declared = answer.get("outputs")
    for name in outputs:
        if declared is not None and name not in declared and name != "userdata":
            yield Fault(
                "outputs",
                f"{name} is not among the outputs of the evalscript's setup()",
                f"Choose among {', '.join(declared)}, or declare it there",
            )


def _run(source: str) -> dict[str, Any]:
    import quickjs

    context = quickjs.Context()
    context.set_time_limit(_CPU_SECONDS)
    context.set_memory_limit(_MEMORY)
    try:
        context.eval(_HOST)
        # Sloppy mode in the global scope, as the service runs it: scripts count on undeclared globals.
        context.eval(source)
        answer: dict[str, Any] = json.loads(context.eval(_ASK))
    except quickjs.JSException as error:
        raise RuntimeError(_explain(str(error))) from error
    return answer


def _explain(message: str) -> str:
    """Turn QuickJS's message and trace into one line that names the place in the script."""
    lines = message.strip().splitlines()
    place = next((m for line in lines[1:] if (m := re.search(r"<input>:(\d+)(?::(\d+))?", line))), None)
    where = f" at line {place[1]}" + (f", column {place[2]}" if place[2] else "") if place else ""
    if lines and "interrupted" in lines[0]:
        return f"does not end: stopped after {_CPU_SECONDS} s of setup"
    return f"{lines[0] if lines else 'fails'}{where}"
