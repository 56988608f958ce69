"""How fast the sandbox renders, in CPU time of one core, and how much memory a worker takes.

Run it with ``python benchmarks/render.py``. The tiles lie in California, in July 2020: six acquisitions, some
of them cloudy.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import replace

from airflow_provider_sentinelhub.sandbox.render import TileJob, render

WEST, SOUTH = 290_000.0, 3_980_000.0  # UTM zone 11
IMAGE = [("default", "image/tiff")]
SETUP = """//VERSION=3
function setup() {
  return {input: ["B04", "B08", "dataMask"], output: {bands: 1, sampleType: "FLOAT32"}, mosaicking: "%s"};
}
"""
NDVI = SETUP % "SIMPLE" + "function evaluatePixel(s) { return [s.dataMask ? index(s.B08, s.B04) : NaN]; }"
HIGHEST_NDVI = (
    SETUP % "ORBIT"
    + """
function evaluatePixel(samples) {
  let highest = -1;
  for (const s of samples) if (s.dataMask) highest = Math.max(highest, index(s.B08, s.B04));
  return [highest];
}"""
)
# A script that counts: every pixel has to be evaluated, in order.
COUNTING = NDVI.replace("return [", "n++; return [") + (
    "\nvar n = 0; function updateOutputMetadata(scenes, input, output) { output.userData = n; }"
)
INTERPOLATION = """//VERSION=3
// Weekly NDVI, interpolated between the clear acquisitions: what the batch tutorial's script does.
const days = [1, 8, 15, 22, 29].map(day => Date.UTC(2020, 6, day));
function setup() {
  return {
    input: [{bands: ["B04", "B08", "CLM", "dataMask"], units: "DN"}],
    output: [
      {id: "NDVI", bands: days.length, sampleType: "UINT16"},
      {id: "data_mask", bands: days.length, sampleType: "UINT8"},
    ],
    mosaicking: "ORBIT",
  };
}
function evaluatePixel(samples, scenes) {
  const dates = [], series = [];
  for (let i = samples.length - 1; i >= 0; i--) {
    const {B04, B08, CLM, dataMask} = samples[i];
    if (CLM === 1 || dataMask !== 1) continue;
    dates.push(new Date(scenes.orbits[i].dateFrom).getTime());
    series.push(10000 + 10000 * (B08 - B04) / (B08 + B04));
  }
  const NDVI = [], data_mask = [];
  for (const day of days) {
    const next = dates.findIndex(date => date >= day);
    data_mask.push(next > 0 ? 1 : 0);
    if (next <= 0) { NDVI.push(0); continue; }
    const share = (day - dates[next - 1]) / (dates[next] - dates[next - 1]);
    NDVI.push(series[next - 1] + share * (series[next] - series[next - 1]));
  }
  return {NDVI, data_mask};
}
"""
SERIES = [("NDVI", "image/tiff"), ("data_mask", "image/tiff")]


def job(evalscript: str, size: int, responses: list[tuple[str, str]] = IMAGE) -> TileJob:
    period = {"from": "2020-07-01T00:00:00Z", "to": "2020-07-30T23:59:59Z"}
    data = [{"type": "sentinel-2-l1c", "dataFilter": {"timeRange": period}}]
    bounds = (WEST, SOUTH, WEST + size * 10, SOUTH + size * 10)
    return TileJob(evalscript, data, responses, 32611, bounds, size, size, cog=True)


JOBS = {
    "NDVI, SIMPLE, 512 px": job(NDVI, 512),
    "highest NDVI, ORBIT, 512 px": job(HIGHEST_NDVI, 512),
    "NDVI, every pixel evaluated, 512 px": job(COUNTING, 512),
    "interpolated NDVI, 2 outputs, 1100 px": job(INTERPOLATION, 1100, SERIES),
    "NDVI, SIMPLE, 2004 px": job(NDVI, 2004),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="tiles per line (default: %(default)s)")
    repeat = parser.parse_args().repeat
    render(job(NDVI, 64))  # imports and caches
    print(f"{'':40}{'CPU s/tile':>12}{'tiles/s':>10}{'kpx/s':>10}{'peak MB':>10}")
    for name, one in JOBS.items():
        started = time.process_time()
        for i in range(repeat):
            west, south, east, north = one.bounds
            shift = i * one.width * 10.0
            render(replace(one, bounds=(west + shift, south, east + shift, north)))
        seconds = (time.process_time() - started) / repeat
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        kilopixels = one.width * one.height / seconds / 1000
        print(f"{name:40}{seconds:>12.2f}{1 / seconds:>10.1f}{kilopixels:>10.0f}{peak:>10.0f}")


if __name__ == "__main__":
    main()
