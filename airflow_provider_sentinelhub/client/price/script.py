"""What the price needs to know of an evalscript: its input bands and mosaicking, as its sources use them."""

from __future__ import annotations

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.evalscript import Setup, can_check, describe

_FREE = "dataMask"  # not counted, unless it is the only one


def read_script(source: str) -> Setup:
    """Run ``setup()`` of an evalscript; `DefinitionError` if it cannot be. Needs the ``evalscript`` extra."""
    if not can_check():
        remedy = "Install airflow-provider-sentinelhub[evalscript], or give what its setup() declares"
        raise DefinitionError([Fault("evalscript", "cannot be read", remedy)], "price")
    try:
        return describe(source)
    except DefinitionError as error:
        raise DefinitionError(error.faults, "price") from None


def bands_of(script: Setup, sources: int) -> int:
    """Return the number of bands that count, of a request with so many sources."""
    if sources == 1:  # several inputs then mean the same collection
        named = {("", band) for one in script.inputs for band in one.bands}
    else:
        named = {
            (one.datasource or str(position), band)
            for position, one in enumerate(script.inputs)
            for band in one.bands
        }
    return max(1, sum(band != _FREE for _, band in named))


def mosaicking_of(script: Setup, identifier: str | None, position: int) -> str:
    """Return the mosaicking of a source; that of its input comes before the script's."""
    for number, one in enumerate(script.inputs):
        own = one.datasource == identifier if one.datasource is not None else number == position
        if own and one.mosaicking:
            return one.mosaicking
    return script.mosaicking
