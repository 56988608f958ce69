"""A script's functions, run on a handful of made-up pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_sentinelhub.client.evalscript import samples
from airflow_provider_sentinelhub.client.evalscript.engine import Engine, ScriptError
from airflow_provider_sentinelhub.client.evalscript.faults import ScriptFault, counted
from airflow_provider_sentinelhub.client.evalscript.outputs import USERDATA
from airflow_provider_sentinelhub.client.evalscript.returned import Returned

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow_provider_sentinelhub.client.evalscript.setup import Setup
    from airflow_provider_sentinelhub.client.evalscript.sources import Feed

# Names that the service's engine may know and this one does not: no reason to complain.
_ELSEWHERE = re.compile(
    r"ReferenceError: '?(Intl|WebAssembly|console|TextDecoder|TextEncoder|structuredClone)\b"
)
_MEND = "Mend the script"
_NO_PLACE_NAMES = ("length", "then", "toJSON")


class Pixel(NamedTuple):
    """What a pixel holds, and how to speak of it: ``samples`` are those of each source, in order."""

    samples: list[Any]
    occasion: str = ""
    remedy: str = _MEND


@dataclass
class Trial:
    """Runs the functions of a script that has them; what it finds goes into ``faults`` and ``warnings``."""

    script: str
    setup: Setup
    feeds: Sequence[Feed]
    requested: Collection[str]
    zarr: bool = False
    faults: list[ScriptFault] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)  # an ordered set
    _bands: dict[str, dict[int, int]] = field(default_factory=dict)  # output -> scenes -> bands
    _over: bool = False

    def run(self) -> None:
        """Try pixels with several scenes, with one and with none."""
        returned = Returned(self.setup, self.requested)
        simple = all(feed.mosaicking == "SIMPLE" for feed in self.feeds)
        for depth in (1,) if simple else (3, 1, 0):
            if not self._over:
                self._with_scenes(depth, self._pixels(depth), returned)
        self.faults += returned.faults
        self.warnings |= dict.fromkeys(returned.warnings())
        self._growing()
        if len(self.feeds) > 1 and simple and not self._over:
            self._without_a_source()

    def _pixels(self, depth: int) -> list[Pixel]:
        def pixel(*readings: Any) -> list[Any]:
            """Return the samples of each source: those readings, or the first alone where there is one."""
            return [
                [reading(feed) for reading in readings]
                if feed.mosaicking != "SIMPLE"
                else ([readings[0](feed)] if len(self.feeds) > 1 else readings[0](feed))
                for feed in self.feeds
            ]

        if depth == 0:
            # SIMPLE is there only beside other sources.
            none = [[samples.blank(feed)] if feed.mosaicking == "SIMPLE" else [] for feed in self.feeds]
            occasion = ", for a pixel without any scene: its samples are an empty array"
            return [Pixel(none, occasion, "Return values for such a pixel too: most large areas have some")]
        blank, typical = samples.blank, samples.typical
        data = Pixel(pixel(*[typical] * depth))
        without = ", for a pixel without data: its dataMask is 0, and so are its bands"
        void = Pixel(
            pixel(*[blank] * depth), without, "Return values for such a pixel too: most tiles have some"
        )
        return [data, void] if depth == 1 else [data, void, Pixel(pixel(typical, *[blank] * (depth - 1)))]

    def _with_scenes(self, depth: int, pixels: Sequence[Pixel], returned: Returned) -> None:
        # A context of their own: what the script keeps in its variables is of one tile.
        try:
            engine = Engine(self.script)
            outputs = self._start(engine, depth)
        except ScriptError as error:
            self._note(error, pixels[0], "preProcessScenes() or updateOutput()")
            return
        for pixel in pixels:
            if self._over:
                return
            try:
                answer = engine.call("pixel", pixel.samples)
            except ScriptError as error:
                self._note(error, pixel, "evaluatePixel()")
                continue
            self._missing(answer["missing"])
            returned.add(answer["answer"], outputs, pixel.occasion)
        if depth and not self._over:
            self._finish(engine)

    def _start(self, engine: Engine, depth: int) -> dict[str, int]:
        engine.call("setup")
        details = {
            **samples.period(),
            "sources": [
                {
                    "key": feed.key,
                    "mosaicking": feed.mosaicking,
                    "scenes": [] if feed.mosaicking == "SIMPLE" else samples.scenes(depth),
                }
                for feed in self.feeds
            ],
            "outputs": [{"id": output.id, "bands": output.bands} for output in self.setup.outputs],
        }
        started = engine.call("start", details)
        bands = {output["id"]: int(output["bands"]) for output in started["outputs"]}
        for name, number in bands.items():
            self._bands.setdefault(name, {})[depth] = number
        return bands

    def _finish(self, engine: Engine) -> None:
        try:
            data = engine.call("finish")["userData"]
        except ScriptError as error:
            self._note(error, Pixel([]), "updateOutputMetadata()")
            return
        if USERDATA in self.requested and not isinstance(data, dict | list | str | int | float):
            self.warnings[f"{USERDATA} is requested, and the script sets no outputMetadata.userData"] = None

    def _note(self, error: ScriptError, pixel: Pixel, where: str) -> None:
        elsewhere = _ELSEWHERE.match(error.message)
        if elsewhere:
            self.warnings[f"{elsewhere[1]} is not known here, so the check ends at line {error.line}"] = None
            self._over = True
            return
        fault = failure(error, where, pixel.occasion, pixel.remedy)
        self._over = error.stopped
        bare = failure(error, where).problem
        same = [(other.line, other.column) for other in self.faults if other.problem.startswith(bare)]
        if (fault.line, fault.column) not in same:
            self.faults.append(fault)

    def _missing(self, names: Sequence[str]) -> None:
        for name in names:
            if not name.isdigit() and name not in _NO_PLACE_NAMES:
                self.warnings[
                    f"evaluatePixel() reads {name} of a sample, and setup() does not ask for it"
                ] = None

    def _growing(self) -> None:
        for name, bands in self._bands.items():
            most = max(bands.values())
            if name not in self.requested or len(set(bands.values())) < 2:
                continue
            if self.zarr and most > 1:
                problem = f"updateOutput() gives output {name} {most} bands, and a Zarr array takes one"
                self.faults.append(ScriptFault("outputs", problem, "Declare an output for each band"))
            elif not self.zarr:
                each = [
                    f"{number} with {counted(depth, 'scene')}" for depth, number in bands.items() if depth
                ]
                self.warnings[
                    f"updateOutput() changes the number of bands of output {name} with the scenes "
                    f"({' and '.join(each)}): its tiles will differ"
                ] = None

    def _without_a_source(self) -> None:
        """In data fusion, whether a source without data gives no sample or an empty one is not known."""
        try:
            engine = Engine(self.script)
            self._start(engine, 1)
            engine.call("pixel", [[] for _ in self.feeds])
        except ScriptError as error:
            place = f" (line {error.line})" if error.line else ""
            self.warnings[
                f"evaluatePixel() fails{place} where a source has no sample at all, which may be so "
                f"where it has no data: {error.message}"
            ] = None


def failure(error: ScriptError, where: str, occasion: str = "", remedy: str = _MEND) -> ScriptFault:
    """Word what a script threw, or that it was stopped, as the service does where that is known."""
    if error.message.startswith("Refusal: "):
        return ScriptFault("evalscript", error.message.removeprefix("Refusal: ") + occasion, remedy)
    if error.stopped:
        limit = "Look for something that grows without end" if "memory" in error.message else None
        return ScriptFault(
            "evalscript", f"{where} {error.message}{occasion}", limit or "Look for a loop without end"
        )
    problem = f"Failed to evaluate script! {error.message}{occasion}"
    return ScriptFault("evalscript", problem, remedy, error.line, error.column)
