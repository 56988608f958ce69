"""The parts of a definition, made from plain dicts with their names."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from airflow_provider_sentinelhub.client.definition.delivery import Delivery
from airflow_provider_sentinelhub.client.definition.rules import choices, fold, kind_of, shown
from airflow_provider_sentinelhub.client.definition.sources import Source
from airflow_provider_sentinelhub.client.definition.storage import (
    BucketKeys,
    GoogleKey,
    OtherDelivery,
    secrets_in,
)
from airflow_provider_sentinelhub.client.definition.tiling import GeoPackage
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.geopackage.source import FeatureSource

# Finds the credentials that a name stands for: ("aws", name) or ("gcp", name).
LookUp = Callable[[str, str], BucketKeys | GoogleKey]
# Makes a GeoPackage of what it is told of, and returns the URL that it will have.
Builder = Callable[[FeatureSource], str]
DELIVERY_PARTS = (
    "delivery_url",
    "delivery_aws_conn_id",
    "iam_role_arn",
    "delivery_gcp_conn_id",
    "delivery_region",
)
_STRUCTURED = {
    *("definition", "outputs", "time_range", "data_filter", "processing", "sources", "buffer"),
    *("geopackage", "cog_parameters", "zarr", "group", "array_parameters", "array_overrides", "delivery"),
}
_T = TypeVar("_T")


def structured(value: Any, name: str, path: str, faults: list[Fault]) -> Any:
    """Read a list or dict from the text that Jinja made of it, in JSON or as Python prints it.

    What is no text, or under a name that holds none of them, is returned as it is.
    """
    if not isinstance(value, str) or name not in _STRUCTURED:
        return value
    text = value.strip()
    if not text.startswith(("{", "[", "(")):
        return [part.strip() for part in text.split(",")] if name == "buffer" else text
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    faults.append(
        Fault(path, f"{shown(text)} cannot be read", "Give a list or dict, or the JSON text of one")
    )
    return None


class Finder:
    """Finds credentials by their names, and keeps what is wrong with them."""

    def __init__(self, look_up: LookUp | None, faults: list[Fault]) -> None:
        self.look_up = look_up
        self.faults = faults

    def find(self, kind: str, name: Any, path: str) -> Any:
        """Return the credentials of a name, None if there are none."""
        if not name:
            return None
        if self.look_up is None:
            problem = f"there is nobody here who could look {name!r} up"
            self.faults.append(
                Fault(path, problem, "Give delivery=Delivery(url, keys=BucketKeys(…)) instead")
            )
            return None
        try:
            return self.look_up(kind, str(name))
        except DefinitionError as error:
            self.faults += [replace(fault, field=path) for fault in error.faults]
            return None


def delivery_of(values: Mapping[str, Any], finder: Finder, faults: list[Fault]) -> Delivery | OtherDelivery:
    """Return where the results go; what cannot be read is added to ``faults``."""
    whole = values.get("delivery")
    if isinstance(whole, Delivery | OtherDelivery):
        return whole
    if whole is not None:
        beside = [name for name in DELIVERY_PARTS if name in values]
        if beside:
            remedy = "Give the parts, or the service's own delivery object"
            faults.append(Fault("delivery", f"is given beside {', '.join(beside)}", remedy))
        if not isinstance(whole, Mapping):
            remedy = "Give the service's delivery object, or a URL in delivery_url"
            faults.append(Fault("delivery", f"is {kind_of(whole)}, not a dict", remedy))
            whole = {}
        for path in secrets_in(whole, "delivery"):
            remedy = "Name a connection in delivery_aws_conn_id or delivery_gcp_conn_id"
            faults.append(Fault(path, "is a secret, which a definition must not hold", remedy))
        return OtherDelivery(whole)
    return Delivery(
        str(values.get("delivery_url", "")),
        keys=finder.find("aws", values.get("delivery_aws_conn_id"), "delivery_aws_conn_id"),
        iam_role_arn=values.get("iam_role_arn"),
        region=values.get("delivery_region"),
        google_key=finder.find("gcp", values.get("delivery_gcp_conn_id"), "delivery_gcp_conn_id"),
    )


def geopackage_of(
    value: Any, finder: Finder, faults: list[Fault], build: Builder | None = None
) -> GeoPackage | None:
    """Return the GeoPackage that a URL or a dict describes, None if it cannot be read.

    A dict with ``features`` describes one that ``build`` makes: the other names are those of `FeatureSource`.
    """
    if isinstance(value, str):
        value = {"url": value}
    if isinstance(value, Mapping):
        kinds = {"aws_conn_id": ("aws", "keys"), "gcp_conn_id": ("gcp", "google_key")}
        credentials = {
            part: finder.find(kind, value.get(name), f"geopackage.{name}")
            for name, (kind, part) in kinds.items()
        }
        access = ("iam_role_arn", "region", *kinds)
        if "features" in value:
            source = {key: one for key, one in value.items() if key not in (*access, "upload_conn_id")}
            url = _built_url(source, faults, build)
            value = {"url": url, **{key: one for key, one in value.items() if key in access}}
            if url is None:
                return None
        given = {"url": "", **{key: one for key, one in value.items() if key not in kinds}}
        offered = ("url", "width", "height", "resolution", *access)
        found = made(GeoPackage, given, "geopackage", faults, offered)
        return replace(found, **credentials) if found else None
    return made(GeoPackage, value, "geopackage", faults)


def _built_url(source: Mapping[str, Any], faults: list[Fault], build: Builder | None) -> str | None:
    before = len(faults)
    described = made(FeatureSource, source, "geopackage", faults)
    if build is None:
        problem = "there is nobody here who could upload them"
        faults.append(Fault("geopackage.features", problem, "Upload a GeoPackage, and give its url"))
    if described is None or build is None or len(faults) > before:
        return None
    try:
        return build(described)
    except DefinitionError as error:
        faults += error.faults
        return None


def sources_of(value: Any, faults: list[Fault]) -> list[Source]:
    """Return the sources that a list of dicts describes."""
    if isinstance(value, Mapping | str) or not hasattr(value, "__iter__"):
        remedy = "Give a list of dicts, such as [{'id': 's2', 'collection': 'sentinel-2-l2a'}]"
        faults.append(Fault("sources", f"is {kind_of(value)}, not a list", remedy))
        return []
    sources = [made(Source, one, f"sources[{index}]", faults) for index, one in enumerate(value)]
    return [one for one in sources if one is not None]


def made(
    kind: type[_T], value: Any, path: str, faults: list[Fault], offered: Sequence[str] = ()
) -> _T | None:
    """Make a part of the definition from a dict with its names, in either spelling."""
    if isinstance(value, kind):
        return value
    offered = offered or [one.name for one in fields(kind)]  # type: ignore[arg-type]
    if not isinstance(value, Mapping):
        faults.append(
            Fault(path, f"is {kind_of(value)}, not a dict", f"Give a dict with {', '.join(offered)}")
        )
        return None
    by_fold = {fold(name): name for name in offered}
    known = {}
    for key, item in value.items():
        name = by_fold.get(fold(str(key)))
        if name is None:
            faults.append(Fault(f"{path}.{key}", "is not known here", choices(str(key), offered)))
        elif item is not None:
            known[name] = structured(item, name, f"{path}.{key}", faults)
    if kind is Source:
        known.setdefault("collection", "")
    return kind(**known)
