"""What ``setup()`` of an evalscript says, as values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.evalscript.engine import UNDEFINED
from airflow_provider_sentinelhub.client.evalscript.faults import ScriptFault, choice, listed, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOSAICKINGS = ("SIMPLE", "ORBIT", "TILE")
SAMPLE_TYPES = ("INT8", "UINT8", "INT16", "UINT16", "FLOAT32", "AUTO")


@dataclass(frozen=True)
class Input:
    """One input object of ``setup()``.

    ``units`` holds each requested band, in order, with the unit that was asked for (upper case), or None for
    the collection's default. ``datasource`` is the id of a source of the request, None where there is only
    one. ``mosaicking`` is the input's own (data fusion), None for that of the `Setup`.
    """

    units: Mapping[str, str | None]
    datasource: str | None = None
    mosaicking: str | None = None

    @property
    def bands(self) -> tuple[str, ...]:
        """The names of the requested bands, ``dataMask`` included."""
        return tuple(self.units)


@dataclass(frozen=True)
class Output:
    """One output object of ``setup()``.

    ``sample_type`` is INT8, UINT8, INT16, UINT16, FLOAT32 or AUTO (0 to 1 stretched over UINT8). ``bands`` is
    the number that was declared: ``updateOutput()`` may change it from tile to tile.
    """

    id: str
    bands: int
    sample_type: str = "AUTO"
    nodata: float | None = None


@dataclass(frozen=True)
class Setup:
    """What an evalscript declares: its inputs, its outputs, and how scenes are put together.

    ``mosaicking`` is SIMPLE (one sample for a pixel), ORBIT (one for each day) or TILE (one for each scene).
    ``filters_scenes``: it has a ``preProcessScenes()``, which may leave scenes out.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    mosaicking: str = "SIMPLE"
    filters_scenes: bool = False

    @property
    def datasources(self) -> tuple[str, ...]:
        """The datasources that the inputs name, each once; empty without data fusion."""
        return tuple(dict.fromkeys(item.datasource for item in self.inputs if item.datasource is not None))

    def inputs_of(self, datasource: str | None) -> tuple[Input, ...]:
        """Return the inputs that name that datasource."""
        return tuple(item for item in self.inputs if item.datasource == datasource)


@dataclass
class Reader:
    """Reads the value that ``setup()`` returned; what is wrong with it goes into ``faults``."""

    script: str
    faults: list[ScriptFault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    mosaicked: bool = True  # whether the mosaicking could be read

    def read(self, raw: Any) -> Setup:
        """Return what is sound of it."""
        if not isinstance(raw, dict):
            self._fault(
                f"setup() returns {_kind(raw)}, not an object", "Return {input: …, output: …} from it"
            )
            return Setup((), ())
        inputs = self._inputs(raw.get("input", UNDEFINED))
        outputs = self._outputs(raw.get("output", UNDEFINED))
        return Setup(inputs, outputs, self._mosaicking(raw, "setup()") or "SIMPLE")

    def _fault(self, problem: str, remedy: str, at: object = None) -> None:
        place = place_of(self.script, at) if isinstance(at, str) else (None, None)
        self.faults.append(ScriptFault("evalscript", problem, remedy, *place))

    def _mosaicking(self, raw: dict[str, Any], where: str) -> str | None:
        if "mosaicking" not in raw:
            return None
        value = raw["mosaicking"]
        if value is UNDEFINED:
            self.warnings.append(
                f"mosaicking of {where} is undefined, so SIMPLE is used: is the constant one of "
                f"{listed(f'Mosaicking.{name}' for name in MOSAICKINGS)}?"
            )
        elif value not in MOSAICKINGS:
            self._fault(
                f"mosaicking of {where} is {_shown(value)}", choice(str(value), MOSAICKINGS), at=value
            )
            self.mosaicked = False
        else:
            return str(value)
        return None

    def _inputs(self, raw: Any) -> tuple[Input, ...]:
        remedy = 'List band names, such as ["B04", "B08"], or objects, such as [{bands: ["B04", "B08"]}]'
        items = raw if isinstance(raw, list) else [raw]
        if raw is UNDEFINED or not items:
            self._fault("setup() asks for no input", remedy)
        elif all(isinstance(item, str) for item in items):
            return (Input(dict.fromkeys(items)),)
        elif all(isinstance(item, dict) for item in items):
            return tuple(found for item in items if (found := self._input(item)))
        else:
            self._fault("the input of setup() is neither band names nor objects", remedy)
        return ()

    def _input(self, raw: dict[str, Any]) -> Input | None:
        bands, datasource = raw.get("bands"), raw.get("datasource", UNDEFINED)
        if not isinstance(bands, list) or not all(isinstance(band, str) for band in bands) or not bands:
            self._fault("bands of an input are not a list of names", 'List them, such as ["B04", "B08"]')
            return None
        if datasource is not UNDEFINED and not isinstance(datasource, str):
            self._fault(
                f"datasource of an input is {_kind(datasource)}, not a text", "Give the id of a source"
            )
            datasource = UNDEFINED
        return Input(
            self._units(bands, raw.get("units", UNDEFINED)),
            None if datasource is UNDEFINED else datasource,
            self._mosaicking(raw, "an input"),
        )

    def _units(self, bands: Sequence[str], raw: Any) -> dict[str, str | None]:
        if isinstance(raw, str):
            return dict.fromkeys(bands, raw.upper())
        if isinstance(raw, list) and all(isinstance(unit, str) for unit in raw) and len(raw) == len(bands):
            return {band: unit.upper() for band, unit in zip(bands, raw, strict=True)}
        if raw is not UNDEFINED and raw is not None:
            problem = "units of an input are neither a text nor a text for each band"
            if isinstance(raw, list) and len(raw) != len(bands):
                problem = f"an input has {len(bands)} bands and {len(raw)} units"
            self._fault(problem, 'Give one for all, such as "DN", or a list with one for each band')
        return dict.fromkeys(bands)

    def _outputs(self, raw: Any) -> tuple[Output, ...]:
        items = raw if isinstance(raw, list) else [raw]
        if raw is UNDEFINED or not items:
            self._fault("setup() declares no output", 'Give output: {bands: 1, sampleType: "FLOAT32"}')
            return ()
        outputs: list[Output] = []
        for item in items:
            if not isinstance(item, dict):
                self._fault(
                    f"an output of setup() is {_kind(item)}, not an object",
                    'Give {id: "default", bands: 1, sampleType: "FLOAT32"}',
                )
            elif found := self._output(item):
                if found.id in [other.id for other in outputs]:
                    self._fault(
                        f"setup() declares output {found.id} twice", "Give each output an id of its own"
                    )
                outputs.append(found)
        return tuple(outputs)

    def _output(self, raw: dict[str, Any]) -> Output | None:
        identifier = raw.get("id", "default")
        identifier = "default" if identifier is UNDEFINED else identifier
        if not isinstance(identifier, str) or not identifier:
            self._fault(f"the id of an output is {_shown(identifier)}", "Give a text")
            return None
        bands, nodata = raw.get("bands", UNDEFINED), raw.get("nodataValue", UNDEFINED)
        number = isinstance(bands, int | float) and not isinstance(bands, bool)
        if not number or not math.isfinite(bands) or bands != int(bands) or bands < 1:
            shown = "no" if bands is UNDEFINED else f"{bands:g}" if number else _shown(bands)
            self._fault(f"output {identifier} has {shown} bands", "Give a whole number, 1 or more")
            return None
        if not (nodata is UNDEFINED or nodata is None or isinstance(nodata, int | float)):
            self._fault(f"nodataValue of output {identifier} is {_shown(nodata)}", "Give a number")
            nodata = None
        return Output(
            identifier,
            int(bands),
            self._sample_type(identifier, raw),
            None if nodata is UNDEFINED or nodata is None else float(nodata),
        )

    def _sample_type(self, identifier: str, raw: dict[str, Any]) -> str:
        value = raw.get("sampleType", "AUTO")
        if value is UNDEFINED:
            self.warnings.append(
                f"sampleType of output {identifier} is undefined, so AUTO is used: is the constant one of "
                f"{listed(f'SampleType.{name}' for name in SAMPLE_TYPES)}?"
            )
        elif value not in SAMPLE_TYPES:
            problem = f"sampleType of output {identifier} is {_shown(value)}"
            self._fault(problem, choice(str(value), SAMPLE_TYPES), at=value)
        else:
            return str(value)
        return "AUTO"


def _kind(value: Any) -> str:
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "an array"}
    return "nothing" if value is UNDEFINED or value is None else kinds.get(type(value), "an object")


def _shown(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str | int | float) else _kind(value)
