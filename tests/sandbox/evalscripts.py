"""Evalscripts to test with, and a way to evaluate them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.evalscript import Evalscript, SceneInfo, Source, Stack, TileInfo
from airflow_provider_sentinelhub.sandbox.evalscript.pixels import Run

UTC = timezone.utc

NDVI = """//VERSION=3
function setup() {
  return {input: ["B04", "B08"], output: {bands: 1, sampleType: "FLOAT32"}};
}
function evaluatePixel(sample) {
  return [index(sample.B08, sample.B04)];
}
"""

# Made like the batch tutorial's script: undeclared variables, the deprecated scenes[i].date, dates computed
# while it loads, and an output that is as long as there are clear scenes instead of as declared.
TIME_SERIES = """//VERSION=3
var days = [1, 8, 15, 22, 29].map(day => new Date(2020, 6, day, 0, 0, 0));
function setup() {
  return {
    input: [{bands: ["B04", "B08", "CLM", "dataMask"], units: "DN"}],
    output: [
      {id: "NDVI", bands: days.length, sampleType: SampleType.UINT16},
      {id: "data_mask", bands: days.length, sampleType: SampleType.UINT8},
    ],
    mosaicking: "ORBIT"
  };
}
function evaluatePixel(samples, scenes) {
  dates = []; series = [];
  for (i = samples.length - 1; i >= 0; i--) {
    if (samples[i].CLM === 1 || samples[i].dataMask != 1) continue;
    date = new Date(scenes[i].date);
    date.setHours(0, 0, 0, 0);
    dates.push(date);
    series.push(10000 + 10000 * index(samples[i].B08, samples[i].B04));
  }
  mask = days.map(day => dates.some(date => date <= day) ? 1 : 0);
  return {NDVI: RETURNED, data_mask: mask};
}
"""


def scenes(count: int, *, every: int = 5) -> list[SceneInfo]:
    last = datetime(2020, 7, 30, 18, 54, 16, tzinfo=UTC)
    dates = [last - timedelta(days=every * i) for i in range(count)]
    path = "s3://sentinel-s2-l1c/tiles/11/S/KA/2020/7/{0.day}/0"
    return [
        SceneInfo(date, (TileInfo(date, 1000 + i, 2.5 * i, path.format(date)),))
        for i, date in enumerate(dates)
    ]


def script(
    body: str,
    *,
    bands: str = '["B04"]',
    output: str = "{bands: 1, sampleType: 'FLOAT32'}",
    mosaicking: str = "ORBIT",
) -> str:
    setup = f"{{input: {bands}, output: {output}, mosaicking: '{mosaicking}'}}"
    return f"//VERSION=3\nfunction setup() {{ return {setup}; }}\n{body}"


def run(
    source: str, samples: list[dict[str, Any]], infos: list[SceneInfo] | None = None, **options: Any
) -> Run:
    evalscript = Evalscript(source)
    infos = scenes(len(samples)) if infos is None else infos
    setup = evalscript.setup
    asked = Source(
        None, "sentinel-2-l1c", {band: unit or "DN" for band, unit in setup.bands}, setup.mosaicking
    )
    period = (datetime(2020, 7, 1, tzinfo=UTC), datetime(2020, 7, 31, tzinfo=UTC))
    stack = Stack(asked, [] if setup.mosaicking == "SIMPLE" else infos, period, options.pop("scales", {}))
    requested = options.pop("requested", [output.id for output in setup.outputs])
    return Run(evalscript, [stack], requested=requested, **options)


def evaluate(source: str, samples: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """Evaluate a row of pixels; returns bands x pixels."""
    arrays = [{band: np.atleast_2d(values) for band, values in sample.items()} for sample in samples]
    shape = next(iter(arrays[0].values())).shape if arrays else (1, 1)
    blocks = run(source, arrays, **options).pixels([arrays], (shape[0], shape[1]))
    return {identifier: block[:, 0] for identifier, block in blocks.items()}
