"""What ``setup()`` of an evalscript says, and what its functions are told about scenes, as typed values."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.sandbox.evalscript.bands import COLLECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

MOSAICKINGS = ("SIMPLE", "ORBIT", "TILE")
SAMPLE_TYPES = ("INT8", "UINT8", "INT16", "UINT16", "FLOAT32", "AUTO")


class EvalscriptError(Exception):
    """An evalscript that the service would refuse or fail on, in the service's words where they are known."""


@dataclass(frozen=True)
class InputSpec:
    """One input object: band names and, for each, the unit it was asked for in (None: the band's default)."""

    datasource: str | None
    bands: tuple[str, ...]
    units: tuple[str | None, ...]
    mosaicking: str | None = None  # counts in data fusion, before that of the whole script (documented)


@dataclass(frozen=True)
class OutputSpec:
    """One output object. ``nodata`` becomes the GDAL nodata tag of a TIFF and changes no pixel."""

    id: str
    bands: int
    sample_type: str = "AUTO"
    nodata: float | None = None


@dataclass(frozen=True)
class Setup:
    """The result of ``setup()``."""

    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    mosaicking: str = "SIMPLE"
    wants_bounds: bool = False  # input metadata: ["bounds"], adds dataGeometry and dataEnvelope to tiles

    @property
    def bands(self) -> tuple[tuple[str, str | None], ...]:
        """All requested bands with their units, in order. Several inputs of one collection count as one."""
        return merged(self.inputs)

    def output(self, identifier: str) -> OutputSpec:
        """Return the declared output, or raise as the service does."""
        for output in self.outputs:
            if output.id == identifier:
                return output
        message = f"Output {identifier} requested but missing from function setup()"
        raise EvalscriptError(message)

    def units(self, collection_type: str) -> dict[str, str]:
        """Return the unit of each requested band of that collection; see `resolved`."""
        return resolved(collection_type, self.bands)


def merged(inputs: Iterable[InputSpec]) -> tuple[tuple[str, str | None], ...]:
    """Return the bands of several inputs of one collection with their units, each once, in order."""
    requested: dict[str, str | None] = {}
    for spec in inputs:
        requested.update(zip(spec.bands, spec.units, strict=True))
    return tuple(requested.items())


def resolved(collection_type: str, bands: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Return the unit of each band of a collection; raises for unknown bands and units.

    A collection without a table (BYOC, …) is taken at its word.
    """
    collection = COLLECTIONS.get(collection_type)
    if collection is None:
        return {band: unit or "DN" for band, unit in bands}
    units = {}
    for band, unit in bands:
        supported = collection.units.get(band)
        if supported is None:
            message = f"Collection '{collection.name}' has no band '{band}'."
            raise EvalscriptError(message)
        if unit is not None and unit not in supported:
            message = (
                f"Invalid script! Band '{band}' of collection '{collection.name}' requested in "
                f"unsupported units '{unit}'! Supported units for this band: [{', '.join(supported)}]."
            )
            raise EvalscriptError(message)
        units[band] = unit or supported[0]
    return units


@dataclass(frozen=True)
class TileInfo:
    """A satellite product as evalscripts see it in ``scenes``."""

    date: datetime
    sh_id: int
    cloud_coverage: float  # percent
    data_path: str
    geometry: dict[str, Any] = field(default_factory=dict)  # GeoJSON-like, for metadata: ["bounds"]

    def to_json(self, *, bounds: bool) -> dict[str, Any]:
        """Return the properties of ``scenes.tiles[i]``."""
        properties = {
            "date": iso(self.date),
            "shId": self.sh_id,
            "cloudCoverage": self.cloud_coverage,
            "dataPath": self.data_path,
        }
        return properties | ({"dataGeometry": self.geometry, "dataEnvelope": self.geometry} if bounds else {})


@dataclass(frozen=True)
class SceneInfo:
    """What one sample of a pixel comes from: a day (ORBIT) or a single tile (TILE)."""

    date: datetime
    tiles: tuple[TileInfo, ...]

    def to_json(self, *, bounds: bool) -> dict[str, Any]:
        """Return what ``host.js`` builds ``scenes`` from; a day runs to its last second (documented)."""
        day = iso(self.date)[:10]
        return {
            "date": iso(self.date),
            "dateFrom": f"{day}T00:00:00Z",
            "dateTo": f"{day}T23:59:59Z",
            "tiles": [tile.to_json(bounds=bounds) for tile in self.tiles],
        }


def iso(moment: datetime) -> str:
    """Write an aware UTC date-time as the service does: whole seconds and a Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_setup(result: Any) -> Setup:
    """Turn what ``setup()`` returned into a `Setup`. The wording of these refusals is assumed."""
    if not isinstance(result, dict):
        raise _invalid("function setup() must return an object.")
    inputs = tuple(_inputs(result.get("input")))
    mosaicking = _mosaicking(result.get("mosaicking", "SIMPLE"))  # an unknown constant is undefined
    raw_outputs = result.get("output")
    listed = raw_outputs if isinstance(raw_outputs, list) else [raw_outputs]
    outputs = tuple(_output(raw) for raw in listed)
    if not outputs:
        raise _invalid("function setup() declares no output.")
    ids = [output.id for output in outputs]
    for identifier in ids:
        if ids.count(identifier) > 1:
            raise _invalid(f"Output id '{identifier}' is not unique.")
    wants_bounds = any("bounds" in (raw.get("metadata") or ()) for raw in _objects(result.get("input")))
    return Setup(inputs, outputs, mosaicking, wants_bounds)


def _invalid(reason: str) -> EvalscriptError:
    return EvalscriptError(f"Invalid script! {reason}")


def _objects(raw: Any) -> list[dict[str, Any]]:
    return [item for item in (raw if isinstance(raw, list) else [raw]) if isinstance(item, dict)]


def _inputs(raw: Any) -> Iterable[InputSpec]:
    listed = raw if isinstance(raw, list) else [raw]
    names = [item for item in listed if isinstance(item, str)]
    objects = [item for item in listed if isinstance(item, dict)]
    if not listed or len(listed) not in (len(names), len(objects)):
        raise _invalid("input must be an array of band names or of objects.")
    if names:
        yield InputSpec(None, tuple(names), (None,) * len(names))
        return
    for item in objects:
        bands = item.get("bands")
        if not isinstance(bands, list) or not all(isinstance(band, str) for band in bands):
            raise _invalid("input.bands must be an array of band names.")
        datasource = item.get("datasource")
        if datasource is not None and not isinstance(datasource, str):
            raise _invalid("input.datasource must be a string.")
        mosaicking = _mosaicking(item["mosaicking"]) if "mosaicking" in item else None
        yield InputSpec(datasource, tuple(bands), _units(item.get("units"), len(bands)), mosaicking)


def _mosaicking(raw: Any) -> str:
    if not isinstance(raw, str) or raw not in MOSAICKINGS:
        raise _invalid(f"Unknown mosaicking '{raw}'. Supported: [{', '.join(MOSAICKINGS)}].")
    return raw


def _units(raw: Any, count: int) -> tuple[str | None, ...]:
    if raw is None:
        return (None,) * count
    if isinstance(raw, str):
        return (raw.upper(),) * count  # the documentation writes "reflectance" as well
    if isinstance(raw, list) and len(raw) == count and all(isinstance(unit, str) for unit in raw):
        return tuple(unit.upper() for unit in raw)
    raise _invalid("input.units must be a string or an array with a string for each band.")


def _output(raw: Any) -> OutputSpec:
    if not isinstance(raw, dict):
        raise _invalid("output must be an object or an array of objects.")
    identifier = raw.get("id", "default")
    bands = raw.get("bands")
    if not isinstance(identifier, str) or not identifier:
        raise _invalid("output.id must be a string.")
    if isinstance(bands, bool) or not isinstance(bands, (int, float)) or bands != int(bands) or bands < 1:
        raise _invalid(f"Output {identifier} needs a number of bands, not {bands!r}.")
    sample_type = raw.get("sampleType", "AUTO")
    if sample_type not in SAMPLE_TYPES:
        raise _invalid(f"Unknown sampleType '{sample_type}'. Supported: [{', '.join(SAMPLE_TYPES)}].")
    return OutputSpec(identifier, int(bands), sample_type, _nodata(identifier, raw.get("nodataValue")))


def _nodata(identifier: str, raw: Any) -> float | None:
    if raw is None:
        return None
    try:
        value = float(raw)  # NaN and the infinities arrive as strings
    except (TypeError, ValueError):
        raise _invalid(f"nodataValue of output {identifier} must be a number.") from None
    return math.nan if math.isnan(value) else value
