"""Which collection of a request each input of a script means: one collection, or data fusion of several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.sandbox.evalscript.spec import (
    EvalscriptError,
    InputSpec,
    SceneInfo,
    Setup,
    merged,
    resolved,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True)
class Source:
    """A collection of the request, as the script wants it.

    :ivar key: what ``samples`` and ``scenes`` call it in data fusion; None for an only collection
    :ivar units: of each requested band, in order
    """

    key: str | None
    collection: str
    units: dict[str, str]
    mosaicking: str

    @property
    def bands(self) -> tuple[str, ...]:
        """The requested bands."""
        return tuple(self.units)


@dataclass(frozen=True)
class Stack:
    """A source with the scenes that a tile has of it.

    :ivar scenes: what the script is told of them; with SIMPLE mosaicking none
    :ivar scales: factors from source values to the units asked for, by band; 1 for those not listed
    :ivar empty: with SIMPLE mosaicking, whether there is no product at all
    """

    source: Source
    scenes: Sequence[SceneInfo]
    time_range: tuple[datetime, datetime]
    scales: Mapping[str, float] = field(default_factory=dict)
    empty: bool = False


def sources(setup: Setup, collections: Sequence[str], ids: Sequence[str | None] = ()) -> tuple[Source, ...]:
    """Return the collections of a request with what the script wants of each, in the request's order.

    Inputs name the collection they mean by ``datasource``, or are in the request's order (documented). The
    wording of refusals is assumed.

    :param collections: ``input.data[].type`` of the request
    :param ids: ``input.data[].id``, None where there is none
    """
    named = dict.fromkeys(spec.datasource for spec in setup.inputs if spec.datasource is not None)
    if len(collections) < 2:
        if len(named) > 1:
            raise _invalid(f"The request has one collection, setup() names several: [{', '.join(named)}].")
        return tuple(
            Source(None, collection, setup.units(collection), setup.mosaicking) for collection in collections
        )
    keyed = _by_name(setup, named, ids) if named else _by_order(setup, len(collections))
    return tuple(
        Source(key, collection, resolved(collection, merged(specs)), _mosaicking(setup, specs))
        for collection, (key, specs) in zip(collections, keyed, strict=True)
    )


def _by_name(
    setup: Setup, named: Mapping[str, None], ids: Sequence[str | None]
) -> list[tuple[str, list[InputSpec]]]:
    if any(spec.datasource is None for spec in setup.inputs):
        raise _invalid("Either all inputs have a datasource or none.")
    known = [identifier for identifier in ids if identifier is not None]
    for name in named:
        if name not in known:
            raise _invalid(f"Datasource '{name}' is no id of the request's input data: [{', '.join(known)}].")
    if len(named) < len(ids):
        raise _needs_inputs()
    return [(name, [spec for spec in setup.inputs if spec.datasource == name]) for name in known]


def _by_order(setup: Setup, count: int) -> list[tuple[str, list[InputSpec]]]:
    if len(setup.inputs) < count:
        raise _needs_inputs()
    if len(setup.inputs) > count:
        raise _invalid("setup() has more inputs than the request has collections.")
    return [(str(index), [spec]) for index, spec in enumerate(setup.inputs)]


def _mosaicking(setup: Setup, specs: Sequence[InputSpec]) -> str:
    return next((spec.mosaicking for spec in specs if spec.mosaicking), setup.mosaicking)


def _needs_inputs() -> EvalscriptError:
    return _invalid("Every collection of the request needs an input in setup().")


def _invalid(reason: str) -> EvalscriptError:
    return EvalscriptError(f"Invalid script! {reason}")
