"""The evalscript's outputs that are delivered, and as what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_sentinelhub.client.definition import raster, zarr
from airflow_provider_sentinelhub.client.errors import Fault

_REMEDY = "Name the evalscript's outputs that are wanted, such as ['NDVI']"


def formats_of(outputs: Any, faults: list[Fault], *, as_zarr: bool) -> dict[str, str]:
    """Return the MIME type of each output; in a list of names all are GeoTIFF, ``userdata`` JSON.

    With Zarr output, all are arrays.
    """
    if isinstance(outputs, str):
        outputs = [name.strip() for name in outputs.split(",") if name.strip()]
    if not outputs or not hasattr(outputs, "__iter__"):
        faults.append(Fault("outputs", "is empty" if not outputs else "is not a list of names", _REMEDY))
        return {}
    names = list(outputs)
    for name in names:
        if not isinstance(name, str) or not name.strip() or "/" in name:
            faults.append(Fault("outputs", f"{name!r} cannot be the id of an output", _REMEDY))
    if len(set(map(str, names))) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        faults.append(Fault("outputs", f"{twice} is named twice", "Name each output once"))
    offered = (zarr.FORMAT,) if as_zarr else raster.FORMATS
    if not isinstance(outputs, Mapping):
        default = offered[0]
        return {
            str(name): "application/json" if name == "userdata" and not as_zarr else default for name in names
        }
    for name, kind in outputs.items():
        if kind not in offered:
            remedy = f"Choose {' or '.join(offered)}"
            if kind == zarr.FORMAT:
                remedy = "Give zarr={…} for Zarr output, or choose image/tiff"
            elif as_zarr:
                remedy = f"Zarr output is {zarr.FORMAT} throughout: name the outputs in a list"
            faults.append(Fault("outputs", f"{name} cannot be delivered as {kind!r}", remedy))
    return {str(name): kind for name, kind in outputs.items()}
