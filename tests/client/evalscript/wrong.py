"""Evalscripts with a fault, by what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

NDVI = """//VERSION=3
function setup() {
  return {
    input: ["B04", "B08"],
    output: {bands: 1, sampleType: "FLOAT32"}
  };
}
function evaluatePixel(sample) {
  return [index(sample.B08, sample.B04)];
}
"""
SERIES = """//VERSION=3
function setup() {
  return {
    input: [{bands: ["B04", "dataMask"], units: "DN"}],
    output: [
      {id: "first", bands: 1, sampleType: "UINT16"},
      {id: "mask", bands: 1, sampleType: "UINT8"}
    ],
    mosaicking: "ORBIT"
  };
}
function evaluatePixel(samples, scenes) {
  return {first: [samples.length ? samples[0].B04 : 0], mask: [samples.length]};
}
"""
FUSION = """//VERSION=3
function setup() {
  return {
    input: [{datasource: "s1", bands: ["VV"]}, {datasource: "s2", bands: ["B04"]}],
    output: {bands: 1, sampleType: "FLOAT32"}
  };
}
function evaluatePixel(samples) {
  return [samples.s1[0].VV + samples.s2[0].B04];
}
"""
TIFF, JSON = "image/tiff", "application/json"


class Wrong(NamedTuple):
    """A script and what is asked of it, as arguments of ``check``."""

    script: str
    request: Mapping[str, Any] = {}


def changed(script: str, *changes: tuple[str, str], **request: Any) -> Wrong:
    for old, new in changes:
        assert old in script, old
        script = script.replace(old, new)
    return Wrong(script, request)


def ndvi(old: str, new: str, **request: Any) -> Wrong:
    return changed(NDVI, (old, new), **request)


def series(old: str, new: str, **request: Any) -> Wrong:
    return changed(SERIES, (old, new), **request)


L2A = (("sentinel-2-l2a", None),)
L1C = (("sentinel-2-l1c", None),)
FUSED = (("sentinel-1-grd", "s1"), ("sentinel-2-l2a", "s2"))
PIXEL = "function evaluatePixel"
GROWING = """function updateOutput(output, collection) {
  output.first.bands = collection.scenes.length;
}
"""

WRONG = {
    "no version": ndvi("//VERSION=3", "// NDVI"),
    "version further down": ndvi("//VERSION=3", "function unused() {}\n//VERSION=3"),
    "syntax": ndvi('["B04", "B08"],', '["B04" "B08"],'),
    "unfinished": ndvi("  return [index(sample.B08, sample.B04)];\n}\n", "  return [index(sample.B08"),
    "no functions": Wrong("//VERSION=3\nvar answer = 42;\n"),
    "no evaluatePixel": ndvi("evaluatePixel", "evaluatepixel"),
    "throws while it loads": ndvi("//VERSION=3\n", "//VERSION=3\nconst shift = offset * 2;\n"),
    "throws no error": ndvi("//VERSION=3\n", "//VERSION=3\nthrow 'nothing';\n"),
    "setup throws": ndvi("return {", "const bands = wanted.length;\n  return {"),
    "setup loops": ndvi("return {", "while (true) {}\n  return {"),
    "setup hoards": ndvi("return {", "for (const all = [];;) all.push(new Array(1000).fill(0));\n  return {"),
    "setup returns nothing": changed(NDVI, ("return {\n", "({\n"), ("  };\n}", "  });\n}")),
    "no input": ndvi('    input: ["B04", "B08"],\n', ""),
    "mixed input": ndvi('["B04", "B08"]', '["B04", {bands: ["B08"]}]'),
    "input bands": ndvi('["B04", "B08"]', '[{bands: "B04"}]'),
    "units": ndvi('["B04", "B08"]', '[{bands: ["B04", "B08"], units: ["DN"]}]'),
    "units of a kind": ndvi('["B04", "B08"]', '[{bands: ["B04", "B08"], units: 1}]'),
    "datasource": ndvi('["B04", "B08"]', '[{bands: ["B04", "B08"], datasource: 2}]'),
    "no output": ndvi('    output: {bands: 1, sampleType: "FLOAT32"}\n', ""),
    "output of a kind": ndvi('{bands: 1, sampleType: "FLOAT32"}', '"default"'),
    "no bands": ndvi("bands: 1, ", ""),
    "half a band": ndvi("bands: 1, ", "bands: 1.5, "),
    "sample type": ndvi("FLOAT32", "FLOAT"),
    "sample type constant": ndvi('"FLOAT32"', "SampleType.FLOAT64"),
    "no-data value": ndvi("bands: 1, ", "bands: 1, nodataValue: 'none', "),
    "twice the same output": series('"mask", bands: 1', '"first", bands: 1'),
    "mosaicking": series('"ORBIT"', '"DAY"'),
    "mosaicking constant": series('"ORBIT"', "Mosaicking.ORBITS"),
    "output missing": changed(NDVI, responses={"NDVI": TIFF}),
    "output misspelt": changed(SERIES, responses={"First": TIFF, "mask": TIFF}),
    "output not asked for": changed(SERIES, responses={"mask": TIFF}),
    "output as JSON": changed(NDVI, responses={"default": JSON}),
    "userdata as TIFF": changed(NDVI, responses={"default": TIFF, "userdata": TIFF}),
    "userdata that is not set": changed(NDVI, responses={"default": TIFF, "userdata": JSON}),
    "float PNG": changed(NDVI, responses={"default": "image/png"}),
    "two bands as JPEG": ndvi(
        'bands: 1, sampleType: "FLOAT32"', "bands: 2", responses={"default": "image/jpeg"}
    ),
    "COG of INT8": ndvi("FLOAT32", "INT8", cog=True),
    "COG of PNG": ndvi("FLOAT32", "UINT8", cog=True, responses={"default": "image/png"}),
    "Zarr of two bands": ndvi("bands: 1", "bands: 2", output="zarr"),
    "Zarr of another type": changed(NDVI, output="zarr", dtypes={"default": "<u2"}),
    "Zarr that grows": series(
        PIXEL,
        GROWING + PIXEL,
        output="zarr",
    ),
    "unknown band": ndvi('"B08"]', '"B10"]', sources=L2A),
    "misspelt band": ndvi('"B08"]', '"B8a"]', sources=L2A),
    "unknown unit": ndvi('["B04", "B08"]', '[{bands: ["B04", "CLM"], units: "REFLECTANCE"}]', sources=L1C),
    "radar in reflectance": changed(
        NDVI,
        ('["B04", "B08"]', '[{bands: ["VV"], units: "REFLECTANCE"}]'),
        ("sample.B08, sample.B04", "sample.VV, 1"),
        sources=[("sentinel-1-grd", None)],
    ),
    "unknown collection": changed(NDVI, sources=[("sentinel-2-l3", None)]),
    "band that was not asked for": ndvi("sample.B04", "sample.B03"),
    "pixel throws": ndvi("index(", "indx("),
    "pixel loops": ndvi("return [", "while (sample) {}\n  return ["),
    "pixel recurses": ndvi("return [index", "return [evaluatePixel(sample), index"),
    "pixel without scene": series("samples.length ? samples[0].B04 : 0", "samples[0].B04"),
    "pixel without data": ndvi("return [", "if (!sample.B04) throw new Error('no data');\n  return ["),
    "number instead of array": ndvi("[index(sample.B08, sample.B04)]", "index(sample.B08, sample.B04)"),
    "nothing returned": ndvi("return [", "["),
    "array for several outputs": series(
        "{first: [samples.length ? samples[0].B04 : 0], mask: [samples.length]}", "[1, 1]"
    ),
    "one output forgotten": series(", mask: [samples.length]", ""),
    "one output is a number": series("mask: [samples.length]", "mask: samples.length"),
    "too many values": ndvi("[index(sample.B08, sample.B04)]", "[sample.B08, sample.B04]"),
    "as many values as scenes": series("[samples.length ? samples[0].B04 : 0]", "samples.map(s => s.B04)"),
    "NaN as an integer": changed(
        NDVI, ("FLOAT32", "UINT8"), ("index(sample.B08, sample.B04)", "sample.B08 / undefined")
    ),
    "NaN without data": changed(
        NDVI, ("FLOAT32", "INT16"), ("index(sample.B08, sample.B04)", "sample.B08 / sample.B04")
    ),
    "a text among the values": ndvi("[index(sample.B08, sample.B04)]", "['high']"),
    "scenes that it was not given": series(
        PIXEL,
        "function preProcessScenes() { return {scenes: [{date: 1}]}; }\nfunction evaluatePixel",
    ),
    "bands that are no number": series(
        PIXEL,
        "function updateOutput(output) { output.first.bands = 'many'; }\nfunction evaluatePixel",
    ),
    "metadata throws": series(
        PIXEL,
        "function updateOutputMetadata(scenes) { scenes.days.length; }\nfunction evaluatePixel",
    ),
    "engine without it": ndvi("return [", "new Intl.NumberFormat();\n  return ["),
    "one source for two": changed(FUSION, sources=[("sentinel-1-grd", "s1")]),
    "another id": changed(FUSION, sources=[("sentinel-1-grd", "S1"), ("sentinel-2-l2a", "s2")]),
    "an input without datasource": changed(FUSION, ('datasource: "s1", ', ""), sources=FUSED),
    "sources without datasource": changed(NDVI, sources=FUSED),
    "a source that is not meant": changed(
        FUSION, ('{datasource: "s2", bands: ["B04"]}', '{datasource: "s1", bands: ["VH"]}'), sources=FUSED
    ),
    "a source without sample": changed(FUSION, sources=FUSED),
    "several": changed(
        NDVI,
        ('"B08"', '"B10"'),
        ("FLOAT32", "INT8"),
        ("index(", "indx("),
        sources=L2A,
        responses={"default": TIFF, "NDWI": TIFF},
        cog=True,
    ),
}
