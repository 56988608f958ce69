"""What to compute from: one collection, or several for data fusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.definition.collections import (
    Collection,
    filters_of,
    processing_of,
    resolve,
)
from airflow_provider_sentinelhub.client.definition.rules import Choice, Number, fold, text
from airflow_provider_sentinelhub.client.definition.times import time_range
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLLECTION = "sentinel-2-l2a"
# What describes the one collection, where there are no sources.
_OF_ONE_SOURCE = ("collection", "max_cloud_coverage", "mosaicking_order", "data_filter", "processing")
# Settings of the service's dataFilter that have a name of their own here.
_NAMED = {
    "timerange": "time_range",
    "maxcloudcoverage": "max_cloud_coverage",
    "mosaickingorder": "mosaicking_order",
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A collection and what of it is used.

    ``collection`` is the service's type, a usual name (``Sentinel-2 L2A``) or the id of a collection of your
    own. ``id`` is what the evalscript calls it (``datasource``), needed when there are several.
    ``time_range`` is as in `BatchDefinition`, whose own is used where there is none.
    ``max_cloud_coverage`` is a percentage.
    ``data_filter`` and ``processing`` hold whatever else the service offers for the collection, under the
    service's names: ``{"orbitDirection": "ASCENDING"}``, ``{"orthorectify": True}``.
    """

    collection: str
    id: str | None = None
    time_range: Any = None
    max_cloud_coverage: float | None = None
    mosaicking_order: str | None = None
    data_filter: Mapping[str, Any] = field(default_factory=dict)
    processing: Mapping[str, Any] = field(default_factory=dict)

    def to_wire(self, prefix: str, shared: Any, faults: list[Fault]) -> dict[str, Any]:
        """Return the entry of ``input.data``; ``prefix`` stands before its names in ``faults``.

        ``shared`` is the time range of all sources as the API has it, None if there is none.
        """
        collection = resolve(self.collection, f"{prefix}collection", faults)
        if collection is None:
            # Nothing else can be judged.
            return {}
        wire: dict[str, Any] = {"type": collection.type}
        if self.id is not None:
            wire["id"] = text(self.id, f"{prefix}id", faults)
        parts = {
            "dataFilter": {
                **self._times(collection, prefix, shared, faults),
                **self._scenes(collection, prefix, faults),
                **self._further(collection, prefix, faults),
            },
            "processing": processing_of(collection)(self.processing, f"{prefix}processing", faults),
        }
        return wire | {key: part for key, part in parts.items() if part}

    def _times(self, collection: Collection, prefix: str, shared: Any, faults: list[Fault]) -> dict[str, Any]:
        path = f"{prefix}time_range"
        if not collection.dated:
            if self.time_range is not None:
                faults.append(Fault(path, f"{collection.type} has no dates", "Leave it out"))
            return {}
        span = shared if self.time_range is None else time_range(self.time_range, path, faults)
        if span is None and self.time_range is None and collection.needs_dates:
            remedy = "Give (first, last), such as ('2020-07-01', '2020-07-31')"
            faults.append(Fault(path, "is missing", remedy))
        return {"timeRange": span} if span else {}

    def _scenes(self, collection: Collection, prefix: str, faults: list[Fault]) -> dict[str, Any]:
        wire = {}
        if self.mosaicking_order is not None:
            path = f"{prefix}mosaicking_order"
            if collection.orders:
                wire["mosaickingOrder"] = Choice(collection.orders)(self.mosaicking_order, path, faults)
            else:
                faults.append(Fault(path, f"{collection.type} has no dates to sort by", "Leave it out"))
        if self.max_cloud_coverage is not None:
            path = f"{prefix}max_cloud_coverage"
            if collection.clouds:
                wire["maxCloudCoverage"] = Number(0, 100)(self.max_cloud_coverage, path, faults)
            else:
                problem = f"{collection.type} cannot be filtered by clouds"
                faults.append(Fault(path, problem, "Leave it out"))
        return wire

    def _further(self, collection: Collection, prefix: str, faults: list[Fault]) -> dict[str, Any]:
        path = f"{prefix}data_filter"
        given: Any = self.data_filter
        further = {}
        for key, value in given.items() if isinstance(given, Mapping) else ():
            name = _NAMED.get(fold(str(key)))
            if name is None:
                further[key] = value
            else:
                remedy = f"Give it as {prefix}{name}"
                faults.append(Fault(f"{path}.{key}", "has a place of its own", remedy))
        return filters_of(collection)(further if isinstance(given, Mapping) else given, path, faults)


def collections_of(data: Sequence[Mapping[str, Any]]) -> list[tuple[str, str | None]]:
    """Return the types of the wire's sources, each with its id; of those that have one that can be read."""
    return [(item["type"], item.get("id")) for item in data if isinstance(item.get("type"), str)]


def data_wire(sources: Sequence[Source], shared: Any, faults: list[Fault]) -> list[dict[str, Any]]:
    """Return ``input.data`` of the sources of a ``sources`` list."""
    wire = []
    seen: set[str] = set()
    for index, source in enumerate(sources):
        prefix = f"sources[{index}]."
        wire.append(source.to_wire(prefix, shared, faults))
        if len(sources) > 1 and source.id is None:
            remedy = "Give each source the id by which the evalscript calls it in datasource"
            faults.append(Fault(f"{prefix}id", "is missing: there are several sources", remedy))
        elif source.id is not None and source.id in seen:
            faults.append(
                Fault(f"{prefix}id", f"{source.id!r} is used twice", "Give each source an id of its own")
            )
        seen.add(source.id or "")
    return wire


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What to compute from: the fields of one `Source`, or several ``sources``; base of all definitions."""

    time_range: Any = None
    collection: str | None = None
    max_cloud_coverage: float | None = None
    mosaicking_order: str | None = None
    data_filter: Mapping[str, Any] = field(default_factory=dict)
    processing: Mapping[str, Any] = field(default_factory=dict)
    sources: Sequence[Source] = ()

    def _data(self, faults: list[Fault]) -> list[dict[str, Any]]:
        """Return the wire's ``input.data``."""
        shared = None
        if self.time_range is not None:
            # Unreadable is not missing.
            shared = time_range(self.time_range, "time_range", faults) or {}
        if self.sources:
            for name in _OF_ONE_SOURCE:
                if getattr(self, name) not in (None, {}):
                    remedy = f"Put it into each source, as {name}"
                    faults.append(Fault(name, "is given beside sources", remedy))
            return data_wire(self.sources, shared, faults)
        one = Source(
            collection=_COLLECTION if self.collection is None else self.collection,
            max_cloud_coverage=self.max_cloud_coverage,
            mosaicking_order=self.mosaicking_order,
            data_filter=self.data_filter,
            processing=self.processing,
        )
        return [one.to_wire("", shared, faults)]
