"""What of a batch request bears on its price, read from its wire form: as sent, or as it is echoed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.price import formula
from airflow_provider_sentinelhub.client.price.formula import Terms
from airflow_provider_sentinelhub.client.price.script import bands_of, mosaicking_of, read_script

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_provider_sentinelhub.client.evalscript import Setup

_NOT_IMAGES = ("application/json",)
_S1 = "sentinel-1-grd"
# What a filter may hold besides, and the search for scenes takes care of.
_KNOWN_FILTERS = {"timeRange", "maxCloudCoverage", "mosaickingOrder", "previewMode"}


@dataclass(frozen=True)
class Source:
    """One collection with the filter that its scenes have to pass; both times included, UTC."""

    collection: str
    mosaicking: str
    start: datetime | None
    end: datetime | None
    max_cloud_coverage: float = 100.0
    other_filters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A batch request, as far as it bears on the price.

    ``bounds`` is the API's object, None for all features of a GeoPackage. ``grid`` is the tiling grid's id,
    ``resolution`` in its unit, ``buffer`` pixels on each side; ``defaults`` those of a GeoPackage.
    """

    terms: Terms
    sources: tuple[Source, ...]
    bounds: Mapping[str, Any] | None
    grid: int | None
    resolution: float | None
    buffer: tuple[int, int]
    defaults: Mapping[str, Any]
    filters_scenes: bool
    skips_existing: bool
    mixes_formats: bool
    is_zarr: bool


def read_plan(wire: Mapping[str, Any], script: Setup | None = None) -> Plan:
    """Read a request; `DefinitionError` names everything that keeps it from being priced.

    Without a ``script`` the request's own is run, which needs the ``evalscript`` extra.
    """
    process, given, output = (_object(wire.get(key)) for key in ("processRequest", "input", "output"))
    data = [_object(one) for one in _list(_object(process.get("input")).get("data"))]
    faults: list[Fault] = []
    try:
        script = script or read_script(_evalscript(process))
    except DefinitionError as error:
        faults += error.faults
    faults += _faults(data, given)
    if faults or script is None:
        raise DefinitionError(faults, "price")
    is_grid = given["type"] == "tiling-grid"
    sources = tuple(
        _source(one, mosaicking_of(script, one.get("id"), position)) for position, one in enumerate(data)
    )
    missing = [
        one for one in sources if one.mosaicking != "SIMPLE" and (one.start is None or one.end is None)
    ]
    if missing:
        problem = f"{missing[0].collection} has none: there is no telling how many scenes it means"
        raise DefinitionError([Fault("time_range", problem, "Give a first and a last date")], "price")
    factors = _format_factors(process, script)
    return Plan(
        terms=Terms(
            bands=bands_of(script, len(data)),
            format=max(factors),
            local=len(data),
            sentinel1=max(map(_sentinel1, data)),
        ),
        sources=sources,
        bounds=_object(process.get("input")).get("bounds") or None,
        grid=given["id"] if is_grid else None,
        resolution=float(given["resolution"]) if is_grid else None,
        buffer=(int(given.get("bufferX") or 0), int(given.get("bufferY") or 0)) if is_grid else (0, 0),
        defaults=_object(given.get("defaults")),
        filters_scenes=script.filters_scenes,
        skips_existing=bool(output.get("skipExisting")),
        mixes_formats=len(set(factors)) > 1,
        is_zarr=output.get("type") == "zarr",
    )


def _evalscript(process: dict[str, Any]) -> str:
    source = process.get("evalscript")
    if not isinstance(source, str) or not source.strip():
        raise DefinitionError(
            [Fault("evalscript", "is not in the request", "Give what its setup() declares")], "price"
        )
    return source


def _faults(data: list[dict[str, Any]], given: dict[str, Any]) -> Iterator[Fault]:
    if not data or not all(isinstance(one.get("type"), str) for one in data):
        yield Fault("collection", "is missing", "Name one, such as sentinel-2-l2a")
    kind = given.get("type")
    if kind == "tiling-grid":
        for name, field in (("id", "tiling_grid_id"), ("resolution", "resolution")):
            if not isinstance(given.get(name), int | float) or isinstance(given.get(name), bool):
                yield Fault(field, f"{given.get(name)!r} is not a number", "Give that of a tiling grid")
    elif kind != "geopackage":
        yield Fault("input", f"{kind!r} is neither tiling-grid nor geopackage", "Choose one of them")


def _source(item: dict[str, Any], mosaicking: str) -> Source:
    data_filter = _object(item.get("dataFilter"))
    period = _object(data_filter.get("timeRange"))
    cover = data_filter.get("maxCloudCoverage")
    return Source(
        str(item["type"]),
        mosaicking,
        _moment(period.get("from")),
        _moment(period.get("to")),
        100.0 if cover is None else float(cover),
        tuple(sorted(set(data_filter) - _KNOWN_FILTERS)),
    )


def _format_factors(process: dict[str, Any], script: Setup) -> list[float]:
    """Return the factor of each image that is asked for."""
    responses = _list(_object(process.get("output")).get("responses")) or [{}]
    types = {one.id: one.sample_type for one in script.outputs}
    found = []
    for one in map(_object, responses):
        name = one.get("identifier") or "default"
        mime = _object(one.get("format")).get("type")
        if name == "userdata" or mime in _NOT_IMAGES:
            continue
        is_float = types.get(name) == "FLOAT32"
        octets = mime == "application/octet-stream"
        found.append(formula.OCTET_STREAM if octets else formula.FLOAT32 if is_float else 1.0)
    return found or [1.0]


def _sentinel1(item: dict[str, Any]) -> float:
    if item.get("type") != _S1:
        return 1.0
    processing = _object(item.get("processing"))
    factor = 1.0
    if str(processing.get("backCoeff")).upper() == "GAMMA0_TERRAIN":
        factor = formula.TERRAIN_CORRECTED
    elif processing.get("orthorectify"):
        factor = formula.ORTHORECTIFIED
    speckle = _object(processing.get("speckleFilter")).get("type", "NONE")
    return factor * (formula.SPECKLE_FILTERED if str(speckle).upper() != "NONE" else 1.0)


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str):
        return None
    # Python 3.10 reads neither a Z nor fractions of other than three or six digits.
    text = re.sub(r"\.(\d{1,6})\d*", lambda found: f".{found[1]:0<6}", text.upper().replace("Z", "+00:00"))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        problem = f"{text!r} is not a date-time"
        raise DefinitionError(
            [Fault("time_range", problem, "Give one such as 2020-07-01T00:00:00Z")], "price"
        ) from None
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
