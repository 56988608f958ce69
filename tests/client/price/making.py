"""Requests and scenes to price."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from airflow_provider_sentinelhub.client.evalscript import Input, Output, Setup

START = datetime(2020, 7, 1, tzinfo=timezone.utc)
DAYS = 29
CALIFORNIA = [
    [-119.2089, 36.1383],
    [-119.1323, 36.098],
    [-119.1282, 35.9869],
    [-119.2264, 35.9532],
    [-119.3263, 35.9822],
    [-119.3488, 36.0899],
    [-119.2089, 36.1383],
]


def script(mosaicking: str = "SIMPLE", bands: tuple[str, ...] = ("B04", "B08"), **fields: Any) -> Setup:
    return Setup((Input(dict.fromkeys(bands)),), (Output("default", 1, "UINT16"),), mosaicking, **fields)


def wire(
    bounds: Any = None,
    *,
    collection: str = "sentinel-2-l2a",
    grid: int = 1,
    resolution: float = 20,
    buffer: tuple[int, int] = (0, 0),
    data_filter: dict[str, Any] | None = None,
    processing: dict[str, Any] | None = None,
    outputs: tuple[str, ...] = ("default",),
    output: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the body of a create call, as far as it bears on the price."""
    period = {"from": START.isoformat(), "to": (START + timedelta(days=DAYS)).isoformat()}
    item = {
        "type": collection,
        "dataFilter": {"timeRange": period, **(data_filter or {})},
        "processing": processing or {},
    }
    polygon = {"geometry": {"type": "Polygon", "coordinates": [CALIFORNIA]}}
    return {
        "processRequest": {
            "input": {"bounds": bounds or polygon, "data": [item]},
            "output": {"responses": [{"identifier": name} for name in outputs]},
        },
        "input": {
            "type": "tiling-grid",
            "id": grid,
            "resolution": resolution,
            "bufferX": buffer[0],
            "bufferY": buffer[1],
        },
        "output": output or {"type": "raster"},
    }


@dataclass(frozen=True)
class Seen:
    """A scene."""

    geometry: Any
    datetime: datetime
    cloud_cover: float | None = None


def seen(geometry: Any, day: float = 1.5, cloud_cover: float | None = None) -> Seen:
    return Seen(geometry, START + timedelta(days=day), cloud_cover)
