"""From names and plain values to a definition: what operators take, and YAML or JSON files hold.

The names are `NAMES`. They are those of `BatchDefinition`, but a delivery is given in parts
(``delivery_url`` and what lets the service in), or as a ``delivery`` object of the service that is passed on.
``geopackage`` is a URL or a dict (``url``, ``width``, ``height``, ``resolution``, and credentials if they are
not the delivery's), ``sources`` a list of dicts with the names of `Source`, ``zarr`` a dict with those of
`Zarr`. ``evalscript``, ``area``, the ``features`` of ``geopackage`` and the definition itself may be paths,
or URLs that the ``opener`` opens. The Process API's own form is understood as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.definition.batch import BatchDefinition
from airflow_provider_sentinelhub.client.definition.parts import (
    DELIVERY_PARTS,
    Builder,
    Finder,
    LookUp,
    delivery_of,
    geopackage_of,
    made,
    sources_of,
    structured,
)
from airflow_provider_sentinelhub.client.definition.places import Places
from airflow_provider_sentinelhub.client.definition.process_request import is_process_request, named
from airflow_provider_sentinelhub.client.definition.rules import choices, kind_of
from airflow_provider_sentinelhub.client.definition.zarr import Zarr
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.client.opening import Opener

Place = str | PathLike[str]
_PASSED_ON = (
    *("evalscript", "outputs", "time_range", "collection", "max_cloud_coverage", "mosaicking_order"),
    *("data_filter", "processing", "area", "area_crs", "invalid_area", "area_tolerance"),
    *("tiling_grid_id", "resolution", "buffer", "cog", "cog_parameters", "overwrite", "skip_existing"),
    *("create_collection", "collection_id", "description"),
)
NAMES = (*_PASSED_ON, "sources", "geopackage", "zarr", *DELIVERY_PARTS, "delivery")
# Ways to say the same: what is given in one of them takes the place of what a file says in another.
_INSTEAD = (
    ({"sources"}, {"collection", "max_cloud_coverage", "mosaicking_order", "data_filter", "processing"}),
    ({"geopackage"}, {"tiling_grid_id", "resolution", "buffer"}),
    ({"delivery"}, set(DELIVERY_PARTS)),
    ({"delivery_aws_conn_id"}, {"iam_role_arn"}, {"delivery_gcp_conn_id"}),
)
_DEFINITION_FILE = re.compile(r".+\.(ya?ml|json)", re.IGNORECASE)
_AREA_FILE = re.compile(r"[^{\[\n]+\.(geojson|json|wkt|txt|gpkg|shp|fgb|parquet)", re.IGNORECASE)


@dataclass(frozen=True)
class Said:
    """Everything that is said, name by name, and where relative paths are looked for."""

    values: Mapping[str, Any]
    places: Places
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


def said(
    source: Mapping[str, Any] | Place,
    given: Mapping[str, Any],
    folders: Sequence[Place] = (),
    opener: Opener | None = None,
) -> Said:
    """Put a definition's dict or file and what is given besides together; the latter wins."""
    places = Places(tuple(map(Path, folders)) or (Path(),), opener)
    faults: list[Fault] = []
    notes: list[str] = []
    base: Any = source
    if isinstance(source, str | PathLike):
        text = str(source).strip()
        if isinstance(source, str) and text.startswith("{"):
            base = structured(source, "definition", "definition", faults) or {}
        else:
            base, places = _of_file(text, places, faults)
    if not isinstance(base, Mapping):
        faults.append(
            Fault("definition", f"is {kind_of(base)}, not a dict of names to values", "Write name: value")
        )
        base = {}
    if is_process_request(base):
        base, notes = named(base)
    given = {name: value for name, value in given.items() if _is_given(name, value)}
    for ways in _INSTEAD:
        for way in ways:
            if way & given.keys():
                others = set().union(*ways) - way
                base = {name: value for name, value in base.items() if name not in others}
    values: dict[str, Any] = {}
    for name, value in {**base, **given}.items():
        if name not in NAMES:
            faults.append(Fault(str(name), "is not part of a definition", choices(str(name), NAMES)))
        elif _is_given(name, value):
            values[name] = structured(value, name, name, faults)
    return Said(values, places, tuple(faults), tuple(notes))


def read(
    source: Mapping[str, Any] | Place,
    given: Mapping[str, Any],
    *,
    folders: Sequence[Place] = (),
    look_up: LookUp | None = None,
    opener: Opener | None = None,
    build: Builder | None = None,
) -> BatchDefinition:
    """Read a definition; what cannot be read is among its faults."""
    everything = said(source, given, folders, opener)
    places = everything.places
    values, faults = dict(everything.values), list(everything.faults)
    script = values.get("evalscript", "")
    if isinstance(script, str) and "\n" not in script and script.strip().endswith(".js"):
        remedy = "Give its path relative to the Dag's file, or the script's text"
        found = places.find(script.strip(), "evalscript", remedy, faults)
        values["evalscript"] = places.text(found, "evalscript", remedy, faults) or ""
    values.setdefault("evalscript", "")
    if "area" in values:
        values["area"] = _placed(values["area"], "area", places, faults)
    notes = list(everything.notes)
    cover = values.get("max_cloud_coverage")
    if isinstance(cover, float) and 0 < cover < 1:
        notes.append(f"max_cloud_coverage is a percentage: {cover:g} lets hardly any scene through.")
    finder = Finder(look_up, faults)
    known = {name: value for name, value in values.items() if name in _PASSED_ON}
    known["delivery"] = delivery_of(values, finder, faults)
    if "sources" in values:
        known["sources"] = sources_of(values["sources"], faults)
    if "geopackage" in values:
        geopackage = values["geopackage"]
        if isinstance(geopackage, Mapping) and geopackage.get("features") is not None:
            features = _placed(geopackage["features"], "geopackage.features", places, faults)
            # What is not there cannot be built.
            geopackage = {**geopackage, "features": features} if features is not None else None
        if geopackage is not None:
            known["geopackage"] = geopackage_of(geopackage, finder, faults, build)
    if "zarr" in values:
        known["zarr"] = made(Zarr, values["zarr"], "zarr", faults)
    return BatchDefinition(**known, notes=tuple(notes), read_faults=tuple(faults), opener=opener)


def _is_given(name: str, value: Any) -> bool:
    """Jinja makes "" or "None" of what is not there."""
    return value is not None and not (name != "description" and value in ("", "None"))


def _placed(value: Any, field: str, places: Places, faults: list[Fault]) -> Any:
    """Return a value with its place found if it is the path of a file; None if that is not there."""
    if isinstance(value, str) and _AREA_FILE.fullmatch(value.strip()):
        return places.find(value.strip(), field, "Give its path or URL, or the geometry itself", faults)
    return value


def _of_file(name: str, places: Places, faults: list[Fault]) -> tuple[Any, Places]:
    """Return what a definition's file holds, and where what it names is looked for."""
    remedy = "Give its path relative to the Dag's file"
    if not _DEFINITION_FILE.fullmatch(name):
        faults.append(Fault("definition", f"{name!r} is not the path of a .yaml or .json file", remedy))
        return {}, places
    place = places.find(name, "definition", remedy, faults)
    text = places.text(place, "definition", remedy, faults)
    if place is None or text is None:
        return {}, places
    return _parsed(text, place.rpartition("/")[2], faults), places.beside(place)


def _parsed(text: str, name: str, faults: list[Fault]) -> Any:
    import yaml

    try:
        return json.loads(text) if name.lower().endswith(".json") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        faults.append(Fault("definition", f"{name} cannot be read: {reason}", "Mend the file"))
        return {}
