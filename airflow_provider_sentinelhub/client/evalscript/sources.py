"""What a script is fed with: one collection, or several for data fusion."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_sentinelhub.client.evalscript.bands import units_of
from airflow_provider_sentinelhub.client.evalscript.faults import (
    ScriptFault,
    choice,
    counted,
    either,
    listed,
    place_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_sentinelhub.client.evalscript.setup import Input, Setup

# What the service calls collections in its messages, where that was seen.
_NAMES = {"sentinel-1-grd": "S1GRD", "sentinel-2-l1c": "S2L1C", "sentinel-2-l2a": "S2L2A"}


_OWN = ("byoc-", "batch-", "zarr-")


class Source(NamedTuple):
    """A collection of the request: its type, such as ``sentinel-2-l2a``, and what the script calls it."""

    type: str
    id: str | None = None


class Feed(NamedTuple):
    """A source with the inputs of ``setup()`` that mean it; ``key`` is its name in ``samples`` (fusion)."""

    source: Source
    key: str | None
    inputs: tuple[Input, ...]
    mosaicking: str

    @property
    def units(self) -> dict[str, str | None]:
        """The requested bands, each with its unit: asked for, else the collection's default, else None."""
        known = units_of(self.source.type) or {}
        asked = {band: unit for item in self.inputs for band, unit in item.units.items()}
        return {band: unit or next(iter(known.get(band, ())), None) for band, unit in asked.items()}


def feeds(setup: Setup, sources: Sequence[Source]) -> list[Feed] | None:
    """Tell which inputs mean which source; None where they do not fit together, see `source_faults`.

    Without any source, each datasource that the script names counts as one of an unknown collection.
    """
    named = setup.datasources
    known = list(sources) or [Source("", name) for name in named or [None]]
    if len(known) == 1:
        return [Feed(known[0], None, setup.inputs, setup.mosaicking)] if len(named) < 2 else None
    found = []
    for index, source in enumerate(known):
        inputs = setup.inputs[index : index + 1] if not named else setup.inputs_of(source.id)
        if not inputs:
            return None
        # Without names the service counts the sources (assumed).
        key = (source.id or str(index)) if named else str(index)
        mosaicking = next((item.mosaicking for item in inputs if item.mosaicking), setup.mosaicking)
        found.append(Feed(source, key, tuple(inputs), mosaicking))
    return found


def source_warnings(sources: Sequence[Source]) -> Iterator[str]:
    """Name the collections whose bands are not checked; those of one's own go without saying."""
    for source in sources:
        if units_of(source.type) is None and not source.type.startswith(_OWN):
            yield f"collection {source.type} is not known here: its bands and units are not checked"


def source_faults(script: str, setup: Setup, sources: Sequence[Source]) -> Iterator[ScriptFault]:
    """Compare the datasources of ``setup()`` with the request's sources."""
    named = setup.datasources
    ids = [source.id for source in sources if source.id]
    if not sources:
        return
    if len(sources) == 1:
        if len(named) > 1:
            problem = f"setup() has the datasources {listed(named)}, and the request has one source"
            yield ScriptFault("evalscript", problem, "Give the request a source with its id for each of them")
        return
    for name in named:
        if name not in ids and len(ids) == len(sources):
            problem = f"datasource '{name}' is not the id of a source of the request"
            yield ScriptFault("evalscript", problem, choice(name, ids), *place_of(script, name))
    remedy = "Give setup() an input with its datasource, or leave the source out of the request"
    if named and any(item.datasource is None for item in setup.inputs):
        yield ScriptFault(
            "evalscript",
            "some inputs of setup() have a datasource and some have none",
            f"Give each input one of the sources' ids: {listed(ids)}",
        )
    elif named:
        for source in sources:
            if source.id and source.id not in named:
                problem = f"no input of setup() has the datasource {source.id}"
                yield ScriptFault("evalscript", problem, remedy)
    elif len(setup.inputs) != len(sources):
        problem = (
            f"setup() has {counted(setup.inputs, 'input')} without datasource for {len(sources)} sources"
        )
        yield ScriptFault("evalscript", problem, "Give each source an id, and each input its datasource")


def band_faults(script: str, feed: Feed) -> Iterator[ScriptFault]:
    """Compare bands and units with what the collection offers, where that is known."""
    known = units_of(feed.source.type)
    if known is None:
        return
    name = _NAMES.get(feed.source.type, feed.source.type)
    for item in feed.inputs:
        for band, unit in item.units.items():
            if band not in known:
                problem = f"collection {feed.source.type} has no band {band}"
                yield ScriptFault("evalscript", problem, choice(band, [*known]), *place_of(script, band))
            elif unit is not None and unit not in known[band]:
                problem = (
                    f"Invalid script! Band '{band}' of collection '{name}' requested in unsupported units "
                    f"'{unit}'! Supported units for this band: [{listed(known[band])}]"
                )
                remedy = f"Ask for {either(known[band])}, or leave its unit out"
                yield ScriptFault("evalscript", problem, remedy, *place_of(script, unit))
