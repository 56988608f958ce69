"""A Process API request, said in the names of a definition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SIZE = ("width", "height", "resx", "resy")
_NAMED = {"maxCloudCoverage": "max_cloud_coverage", "mosaickingOrder": "mosaicking_order"}


def payload_of(request: Any) -> Mapping[str, Any]:
    """Return the body of a Process API request: a dict, or an object that holds one.

    ``sentinelhub.SentinelHubRequest`` is such an object, known by its shape.
    """
    downloads = getattr(request, "download_list", None)
    for body in (request, getattr(downloads[0], "post_values", None) if downloads else None):
        if isinstance(body, Mapping):
            return body
    body = getattr(request, "payload", None)
    if isinstance(body, Mapping):
        return body
    raise TypeError(f"{type(request).__name__} is neither a dict nor holds the payload of a Process request")


def is_process_request(body: Mapping[str, Any]) -> bool:
    """Whether it is a request as the Process API takes it."""
    return isinstance(body.get("input"), Mapping)


def named(body: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what it says under the names of a definition, and what it says in vain.

    What neither form knows keeps its name, and is found to be unknown.
    """
    notes: list[str] = []
    values = {key: value for key, value in body.items() if key not in ("input", "output")}
    source = body["input"]
    values |= {f"input.{key}": value for key, value in source.items() if key not in ("bounds", "data")}
    if "bounds" in source:
        values |= _area(source["bounds"], notes)
    data = source.get("data")
    entries = data if isinstance(data, list | tuple) else [data] if data is not None else []
    sources = [_source(one) if isinstance(one, Mapping) else one for one in entries]
    if len(sources) == 1 and isinstance(sources[0], dict) and "id" not in sources[0]:
        values |= sources[0]
    elif sources:
        values["sources"] = sources
    output = body.get("output")
    output = output if isinstance(output, Mapping) else {}
    dropped = [f"{key} {output[key]}" for key in _SIZE if key in output]
    if dropped:
        notes.append(f"Not used, since the grid or the GeoPackage says the size: {', '.join(dropped)}.")
    values |= {f"output.{key}": value for key, value in output.items() if key not in (*_SIZE, "responses")}
    if output.get("responses"):
        values["outputs"] = _outputs(output["responses"])
    return values, notes


def _source(entry: Mapping[str, Any]) -> dict[str, Any]:
    names = {"type": "collection", "dataFilter": "data_filter"}
    source = {names.get(key, key): value for key, value in entry.items()}
    data_filter = source.get("data_filter")
    if isinstance(data_filter, Mapping):
        rest = dict(data_filter)
        span = rest.pop("timeRange", None)
        if isinstance(span, Mapping):
            source["time_range"] = (span.get("from"), span.get("to"))
        for key, name in _NAMED.items():
            if key in rest:
                source[name] = rest.pop(key)
        source["data_filter"] = rest
    return {key: value for key, value in source.items() if value not in (None, {})}


def _outputs(responses: Any) -> Any:
    """Return the outputs; what is no list of responses is left to be named."""
    formats = {}
    for one in responses if isinstance(responses, list | tuple) else (None,):
        form = one.get("format") if isinstance(one, Mapping) else None
        if not isinstance(one, Mapping) or not isinstance(form, Mapping):
            return responses
        formats[one.get("identifier", "default")] = form.get("type")
    return formats


def _area(bounds: Any, notes: list[str]) -> dict[str, Any]:
    """Return the area; what cannot be read is left to be named."""
    if not isinstance(bounds, Mapping):
        return {"area": bounds}
    properties = bounds.get("properties")
    crs = properties.get("crs") if isinstance(properties, Mapping) else None
    values = {"area_crs": crs} if crs else {}
    box, geometry = bounds.get("bbox"), bounds.get("geometry")
    if box is None or geometry is None:
        return {"area": box if geometry is None else geometry, **values}
    from shapely.errors import ShapelyError
    from shapely.geometry import box as rectangle
    from shapely.geometry import mapping, shape

    try:
        # The service takes what is in both.
        inside = shape(geometry).intersection(rectangle(*box))
        if inside.equals(shape(geometry)):
            return {"area": geometry, **values}
    except (TypeError, ValueError, KeyError, AttributeError, IndexError, ShapelyError):
        return {"area": geometry, **values}
    notes.append("The area is the part of the geometry that lies in the bbox.")
    return {"area": mapping(inside), **values}
