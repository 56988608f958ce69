"""What ``evaluatePixel()`` returned, against what ``setup()`` declares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.evalscript.engine import UNDEFINED
from airflow_provider_sentinelhub.client.evalscript.faults import ScriptFault, counted, either, listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from airflow_provider_sentinelhub.client.evalscript.setup import Setup

_FORMS = {"undefined": "nothing", "null": "null", "string": "a text", "function": "a function"}


class Returned:
    """Gathers what is odd about the values of several pixels."""

    def __init__(self, setup: Setup, requested: Collection[str]) -> None:
        self._setup = setup
        self._wanted = [output for output in setup.outputs if output.id in requested]
        self._faults: dict[str, ScriptFault] = {}
        self._warnings: dict[str, None] = {}
        self._lengths: dict[str, dict[int, set[int]]] = {}  # output -> bands -> lengths

    @property
    def faults(self) -> list[ScriptFault]:
        """The returned values that the service cannot make anything of, each once."""
        return [*self._faults.values()]

    def warnings(self) -> Iterator[str]:
        """Name what may be a mistake, and what the service does with it is not known or not said."""
        yield from self._warnings
        for name, found in self._lengths.items():
            for bands, lengths in found.items():
                number = either(sorted(lengths))
                values = "value" if number == "1" else "values"
                yield (
                    f"evaluatePixel() returns {number} {values} for output {name}, which has "
                    f"{counted(bands, 'band')}: what the service does then is not known"
                )

    def add(self, answer: Mapping[str, Any], bands: Mapping[str, int], occasion: str) -> None:
        """Look at one answer; ``bands`` are those of each output after ``updateOutput()``."""
        form, several = answer["form"], len(self._setup.outputs) > 1
        if form == "undefined":
            if not occasion and self._wanted:
                self._warnings["evaluatePixel() returns nothing: is a return missing?"] = None
        elif form == "object":
            for output in self._wanted:
                values = answer["outputs"].get(output.id, {"form": "undefined"})
                self._values(output.id, values, bands[output.id], occasion)
        elif form == "array" and not several:
            for output in self._wanted:
                self._values(output.id, answer, bands[output.id], occasion)
        elif form == "array":
            ids = listed(f"{output.id}: […]" for output in self._setup.outputs)
            self._refuse(
                "evaluatePixel() returns an array, and setup() declares several outputs",
                f"Return an object with an array for each: {{{ids}}}",
            )
        else:
            self._refuse(
                f"evaluatePixel() returns {_FORMS.get(form, f'a {form}')}, not an array",
                "Return an array, such as [value], also for a single band",
            )

    def _refuse(self, problem: str, remedy: str) -> None:
        self._faults.setdefault(problem, ScriptFault("evalscript", problem, remedy))

    def _values(self, name: str, answer: Mapping[str, Any], bands: int, occasion: str) -> None:
        form = answer["form"]
        if form != "array":
            problem = f"evaluatePixel() returns {_FORMS.get(form, f'a {form}')} for output {name}"
            self._refuse(problem, f"Return {{{name}: […]}}, with a value for each band")
            return
        values = answer["values"]
        if bands and len(values) != bands:
            self._lengths.setdefault(name, {}).setdefault(bands, set()).add(len(values))
        odd = [value for value in values if isinstance(value, str) or value is UNDEFINED or value is None]
        if odd:
            kind = "a text" if isinstance(odd[0], str) else "null" if odd[0] is None else "undefined"
            self._warnings[f"evaluatePixel() returns {kind} among the values of output {name}"] = None
        sample_type = next(output.sample_type for output in self._wanted if output.id == name)
        if sample_type == "FLOAT32" or (occasion and sample_type == "AUTO"):
            return
        nan = any(isinstance(value, float) and math.isnan(value) for value in values)
        if nan and not any(f"NaN for output {name}," in warning for warning in self._warnings):
            self._warnings[
                f"evaluatePixel() returns NaN for output {name}, which sampleType {sample_type} "
                f"cannot hold{occasion}"
            ] = None
