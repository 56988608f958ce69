"""The ``output`` of the Process API: how large an image is, and what its formats are given along."""

from __future__ import annotations

import math

import shapely
from shapely.geometry import shape

from airflow_provider_sentinelhub.sandbox.grids import parse_crs
from airflow_provider_sentinelhub.sandbox.scenes import metres_per_unit
from airflow_provider_sentinelhub.sandbox.steering import is_number, is_whole
from airflow_provider_sentinelhub.sandbox.validation.findings import NOT_IMITATED, Findings, Json

IMAGE_FORMATS = ("image/png", "image/jpeg", "image/tiff", "application/json")
MAX_PIXELS = 2500  # on each side
DEFAULT_PIXELS = 256
MAX_METRES = 1500.0  # per pixel, of both Sentinel-2 collections

# What a worker's memory holds: places about so many metres apart, for each granule of so many square metres.
_FINEST, _GRANULE, _MOST_NODES = 240.0, 1e10, 1e8

Box = tuple[float, float, float, float]


def extent(bounds: Json) -> Box:
    """Return what the image shows, in the CRS of the bounds: the box, else the envelope of the geometry."""
    west, south, east, north = bounds["bbox"] if "bbox" in bounds else shape(bounds["geometry"]).bounds
    return float(west), float(south), float(east), float(north)


class ImageFindings(Findings):
    """The findings about ``output``; sets ``width`` and ``height`` where a resolution is given."""

    def check(self, output: Json, bounds: Json | None) -> None:
        """Look at all of it; ``bounds`` are those of the input if nothing is wrong with them."""
        self._quality(output)
        sizes, resolutions = ({"width", "height"} & output.keys(), {"resx", "resy"} & output.keys())
        if sizes and resolutions:
            self.fail(("output",), "either width and height, or resx and resy can be given")
            return
        box = None if bounds is None else extent(bounds)
        if resolutions:
            self._size_from_resolution(output, box)
        for side in ("width", "height"):
            pixels = output.setdefault(side, DEFAULT_PIXELS)
            if not resolutions and not (is_whole(pixels) and 1 <= pixels <= MAX_PIXELS):
                self.fail(("output", side), f"must be a whole number from 1 to {MAX_PIXELS}")
        if bounds is not None and box is not None and not self.violations:
            self._limit(output, bounds, box)

    def _quality(self, output: Json) -> None:
        responses = output.get("responses")
        for index, response in enumerate(responses if isinstance(responses, list) else ()):
            form = response.get("format") if isinstance(response, dict) else None
            quality = form.get("quality", 0) if isinstance(form, dict) else 0
            if not (is_whole(quality) and 0 <= quality <= 100):
                at = ("output", f"responses[{index}]", "format", "quality")
                self.fail(at, "must be a whole number from 0 to 100")

    def _size_from_resolution(self, output: Json, box: Box | None) -> None:
        """Set the size that comes nearest to the resolution; the bounds stay (assumed)."""
        for axis, (resolution, side) in enumerate((("resx", "width"), ("resy", "height"))):
            size = output.get(resolution)
            if not is_number(size) or size <= 0:
                self.fail(
                    ("output", resolution), "must be a number above 0, as must the other of resx and resy"
                )
            elif box is not None:
                pixels = (box[axis + 2] - box[axis]) / size
                output[side] = max(1, round(pixels)) if math.isfinite(pixels) else 0
                if not 1 <= output[side] <= MAX_PIXELS:  # wording seen in the wild
                    text = f"`{side} = {pixels:.0f}`, calculated from {resolution}, is larger than allowed"
                    self.fail(("output", resolution), f"{text} {MAX_PIXELS}.")

    def _limit(self, output: Json, bounds: Json, box: Box) -> None:
        epsg = parse_crs(bounds["properties"]["crs"])
        unit = metres_per_unit(epsg)
        west, south, east, north = box
        shrunk = math.cos(math.radians((south + north) / 2)) if unit > 1 else 1.0  # degrees of longitude
        metres = {
            "X": (east - west) * unit * shrunk / output["width"],
            "Y": (north - south) * unit / output["height"],
        }
        for axis, size in metres.items():
            if size > MAX_METRES:  # the limit is the service's, the wording is assumed
                text = f"{size:.2f} meters per pixel in {axis} axis exceed the limit {MAX_METRES:.2f}"
                self.fail(("output",), f"{text}. Please revise the resolution.")
        sides = metres["X"] * output["width"], metres["Y"] * output["height"]
        nodes = math.prod(
            side / max(_FINEST, size) for side, size in zip(sides, metres.values(), strict=True)
        )
        if not self.violations and nodes * max(1.0, math.prod(sides) / _GRANULE) > _MOST_NODES:
            self.fail(("output",), f"so large an area at so fine a resolution: {NOT_IMITATED}")


def mask(bounds: Json) -> bytes | None:
    """Return the geometry outside which there is no data, as WKB in the CRS of the bounds."""
    return shapely.to_wkb(shape(bounds["geometry"])) if "geometry" in bounds else None
