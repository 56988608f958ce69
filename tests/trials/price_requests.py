"""Random batch requests, small enough to be processed within seconds, to hold prices against."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from shapely.geometry import box

from airflow_provider_sentinelhub.client.crs import CRS84, project, utm_crs
from airflow_provider_sentinelhub.client.geopackage import Feature, write_geopackage

if TYPE_CHECKING:
    from pathlib import Path

COLLECTIONS = ("sentinel-2-l1c", "sentinel-2-l2a")
BANDS = ("B02", "B03", "B04", "B08", "B8A", "B11", "B12")
# Grid, resolution, and the side of a tile in degrees.
GRIDS = ((2, 360.0, 0.9), (2, 240.0, 0.9), (0, 60.0, 0.18), (1, 20.0, 0.09), (3, 0.008, 1.0), (3, 0.005, 1.0))
_FIRST = datetime(2018, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Case:
    """A request without where it delivers to.

    ``process`` and ``input`` are parts of the wire form; the features, if any, are of the input.
    """

    name: str
    process: dict[str, Any]
    input: dict[str, Any]
    features: tuple[Feature, ...] = ()

    def wire(self, s3: dict[str, str], prefix: str) -> dict[str, Any]:
        """Return the body of a create call; ``s3`` are the bucket's URL and keys."""
        given = dict(self.input)
        if self.features:
            given["features"] = {"s3": {**s3, "url": f"{s3['url']}/{prefix}.gpkg"}}
        delivery = {"s3": {**s3, "url": f"{s3['url']}/{prefix}"}}
        return {
            "processRequest": self.process,
            "input": given,
            "output": {"type": "raster", "delivery": delivery},
        }

    def write_features(self, path: Path) -> None:
        """Write the GeoPackage of the input."""
        write_geopackage(path, self.features)


def case(number: int, seed: int) -> Case:
    """Return one; the same for the same numbers."""
    chance = random.Random(seed * 100_003 + number)
    mosaicking = chance.choice(("SIMPLE", "ORBIT", "ORBIT", "TILE"))
    count = 2 if chance.random() < 0.1 else 1
    script, outputs = _script(chance, mosaicking, count)
    start = _FIRST + timedelta(days=chance.uniform(0, 2500))
    end = start + timedelta(days=chance.uniform(4, 60 if mosaicking == "SIMPLE" else 35))
    period = {"from": f"{start:%Y-%m-%dT%H:%M:%SZ}", "to": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    data = []
    for identifier in "ab"[:count]:
        data_filter: dict[str, Any] = {"timeRange": period}
        if chance.random() < 0.5:
            data_filter["maxCloudCoverage"] = chance.randint(20, 100)
        if chance.random() < 0.3:
            data_filter["mosaickingOrder"] = chance.choice(("leastRecent", "leastCC", "mostRecent"))
        data.append({"type": chance.choice(COLLECTIONS), "id": identifier, "dataFilter": data_filter})
    lon, lat = chance.uniform(-170, 170), chance.uniform(-55, 68)
    process: dict[str, Any] = {
        "evalscript": script,
        "input": {"data": data},
        "output": {"responses": [{"identifier": name, "format": {"type": "image/tiff"}} for name in outputs]},
    }
    if chance.random() < 0.2:
        features = _features(chance, lon, lat)
        name = f"{mosaicking}, {len(features)} features"
        return Case(name, process, {"type": "geopackage"}, features)
    grid, resolution, side = chance.choice(GRIDS)
    wide, high = (chance.uniform(0.02, 1.1) * side for _ in "xy")
    process["input"]["bounds"] = {"bbox": [lon, lat, lon + wide, lat + high]}
    given: dict[str, Any] = {"type": "tiling-grid", "id": grid, "resolution": resolution}
    if chance.random() < 0.5:
        given |= {"bufferX": chance.randint(0, 40), "bufferY": chance.randint(0, 40)}
    return Case(f"{mosaicking}, grid {grid} at {resolution:g}", process, given)


def _script(chance: random.Random, mosaicking: str, count: int) -> tuple[str, list[str]]:
    inputs, outputs = [], ["A", "B"][: chance.choice((1, 1, 2))]
    for identifier in "ab"[:count]:
        bands = chance.sample(BANDS, chance.randint(1, 5))
        if chance.random() < 0.5:
            bands.append("dataMask")
        elif count == 1 and chance.random() < 0.1:
            bands = ["dataMask"]
        source = f'datasource: "{identifier}", ' if count > 1 else ""
        inputs.append(f"{{{source}bands: {bands}}}")
    types = {name: chance.choice(("UINT8", "INT16", "UINT16", "FLOAT32", "AUTO")) for name in outputs}
    declared = ", ".join(f'{{id: "{name}", bands: 1, sampleType: "{kind}"}}' for name, kind in types.items())
    values = ", ".join(f"{name}: [1]" for name in outputs)
    setup = f'{{input: [{", ".join(inputs)}], output: [{declared}], mosaicking: "{mosaicking}"}}'
    source = f"function setup() {{ return {setup}; }}\nfunction evaluatePixel() {{ return {{{values}}}; }}\n"
    return f"//VERSION=3\n{source}", outputs


def _features(chance: random.Random, lon: float, lat: float) -> tuple[Feature, ...]:
    """Return fields of some kilometres around a place, from 30 to 200 pixels on a side."""
    crs = utm_crs(lon, lat)
    corner = project(box(lon, lat, lon + 1e-6, lat + 1e-6), CRS84, crs).bounds
    found = []
    for number in range(chance.randint(1, 6)):
        west, south = (corner[i] + chance.uniform(-40_000, 40_000) for i in (0, 1))
        columns, rows = chance.randint(30, 200), chance.randint(30, 200)
        outline = box(west, south, west + 20 * columns, south + 20 * rows)
        sized: dict[str, Any] = {"resolution": 20.0}
        if chance.random() < 0.5:
            sized = {"width": columns, "height": rows}
        found.append(Feature(f"field-{number}", outline, crs, **sized))
    return tuple(found)
