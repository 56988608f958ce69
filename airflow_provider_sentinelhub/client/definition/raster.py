"""Raster output: a GeoTIFF per tile and output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.definition.rules import (
    Choice,
    Listed,
    Number,
    Rule,
    Settings,
    flag,
    text,
)
from airflow_provider_sentinelhub.client.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = ("image/tiff", "application/json")
_BLOCK = Number(16, multiple_of=16, whole=True)
_COG: dict[str, Rule] = {
    "overviewLevels": Listed(Number(2, whole=True)),
    "overviewMinSize": Number(1, whole=True),
    "resamplingAlgorithm": Choice(
        ("nearest", "average", "gauss", "cubic", "cubicspline", "lanczos", "average_magphase", "mode")
    ),
    "blockxsize": _BLOCK,
    "blockysize": _BLOCK,
    "usePredictor": flag,
}
# What only raster output has, under the API's names.
SETTINGS = {
    "cog": "cogOutput",
    "overwrite": "overwrite",
    "skip_existing": "skipExisting",
    "cog_parameters": "cogParameters",
    "create_collection": "createCollection",
    "collection_id": "collectionId",
}


def raster_wire(given: Mapping[str, Any], formats: Mapping[str, str], faults: list[Fault]) -> dict[str, Any]:
    """Return the API's ``output`` but for the delivery; ``given`` holds the settings under our names."""
    wire: dict[str, Any] = {"type": "raster"}
    for name in ("cog", "overwrite", "skip_existing"):
        wire[SETTINGS[name]] = flag(given[name], name, faults)
    others = [name for name, kind in formats.items() if kind != "image/tiff"]
    if wire["cogOutput"] is True and others:
        problem = f"{', '.join(others)} {'is' if len(others) == 1 else 'are'} not image/tiff"
        faults.append(Fault("cog", problem, "Deliver image/tiff throughout, or leave cog out"))
    if given["cog_parameters"]:
        settings = Settings("a cloud-optimised GeoTIFF", _COG)
        wire["cogParameters"] = settings(given["cog_parameters"], "cog_parameters", faults)
        if wire["cogOutput"] is not True:
            faults.append(Fault("cog_parameters", "is not used without cog", "Set cog=True as well"))
    ingest = flag(given["create_collection"], "create_collection", faults)
    if given["collection_id"] is not None:
        wire["collectionId"] = text(given["collection_id"], "collection_id", faults)
        if ingest is not True:
            faults.append(
                Fault("collection_id", "is not used without create_collection", "Set create_collection=True")
            )
    if ingest is True:
        wire["createCollection"] = True
        if wire["cogOutput"] is not True:
            problem = "a collection is made of cloud-optimised GeoTIFFs only"
            faults.append(Fault("create_collection", problem, "Set cog=True as well"))
    return wire
