"""Evalscripts without a fault, in the style of what people publish, each with its collections."""

from __future__ import annotations

from typing import NamedTuple


class Good(NamedTuple):
    script: str
    sources: tuple[tuple[str, str | None], ...] = (("sentinel-2-l2a", None),)
    responses: dict[str, str] | None = None


L1C = (("sentinel-2-l1c", None),)
S1 = (("sentinel-1-grd", None),)
FUSION = (("sentinel-1-grd", "s1"), ("sentinel-2-l2a", "s2"))

GOOD = {
    "true colour": Good("""//VERSION=3
function setup() {
  return {input: ["B02", "B03", "B04"], output: {bands: 3}};
}
function evaluatePixel(sample) {
  return [2.5 * sample.B04, 2.5 * sample.B03, 2.5 * sample.B02];
}
"""),
    "transparent where there is no data": Good("""//VERSION=3
let minVal = 0.0;
let maxVal = 0.4;
let viz = new HighlightCompressVisualizer(minVal, maxVal);
function evaluatePixel(samples) {
  let val = [samples.B04, samples.B03, samples.B02].map(v => viz.process(v));
  val.push(samples.dataMask);
  return val;
}
function setup() {
  return {input: [{bands: ["B02", "B03", "B04", "dataMask"]}], output: {bands: 4}};
}
"""),
    "landsat with the default visualizer": Good(
        """//VERSION=3
let viz = new DefaultVisualizer(0.0, 0.4);
function evaluatePixel(samples) {
  let val = viz.processList([samples.B04, samples.B03, samples.B02]);
  val.push(samples.dataMask);
  return val;
}
function setup() {
  return {input: [{bands: ["B02", "B03", "B04", "dataMask"]}], output: {bands: 4}};
}
""",
        (("landsat-ot-l1", None),),
    ),
    "ndvi with a colour ramp and statistics": Good(
        """//VERSION=3
const ramp = [[-0.5, 0x0c0c0c], [0, 0xeaeaea], [0.5, 0x306d1c], [1, 0x004400]];
const visualizer = new ColorRampVisualizer(ramp);
function setup() {
  return {
    input: ["B04", "B08", "SCL", "dataMask"],
    output: [
      {id: "default", bands: 4},
      {id: "index", bands: 1, sampleType: "FLOAT32"},
      {id: "eobrowserStats", bands: 2, sampleType: "FLOAT32"},
      {id: "dataMask", bands: 1}
    ]
  };
}
function evaluatePixel(samples) {
  let val = index(samples.B08, samples.B04);
  const indexVal = samples.dataMask === 1 ? val : NaN;
  const colours = visualizer.process(val);
  return {
    default: [...colours, samples.dataMask],
    index: [indexVal],
    eobrowserStats: [val, isCloud(samples.SCL) ? 1 : 0],
    dataMask: [samples.dataMask]
  };
}
function isCloud(scl) {
  if (scl == 8 || scl == 9) { return true; }
  return false;
}
""",
        responses={"default": "image/png", "index": "image/tiff"},
    ),
    "arrow functions only": Good("""//VERSION=3
const setup = () => ({input: ["B03", "B08"], output: {id: "ndwi", bands: 1, sampleType: "FLOAT32"}});
const evaluatePixel = ({B03, B08}) => [(B03 - B08) / (B03 + B08)];
"""),
    "undeclared globals": Good("""//VERSION=3
function setup() {
  return {input: ["B04", "B08"], output: {bands: 1, sampleType: SampleType.UINT8}};
}
function evaluatePixel(s) {
  ndvi = index(s.B08, s.B04);
  for (i = 0; i < 3; i++) scaled = ndvi * 100 + 100;
  return [scaled];
}
"""),
    "radar in decibels": Good(
        """//VERSION=3
function setup() {
  return {
    input: [{bands: ["VV", "VH", "dataMask"]}],
    output: {bands: 2, sampleType: "FLOAT32", nodataValue: -99}
  };
}
function toDb(linear) { return linear > 0 ? 10 * Math.log(linear) / Math.LN10 : -99; }
function evaluatePixel(sample) { return [toDb(sample.VV), toDb(sample.VH)]; }
""",
        S1,
    ),
    "radar false colour": Good(
        """//VERSION=3
function setup() {
  return {input: [{bands: ["VV", "VH"], units: "LINEAR_POWER"}], output: {bands: 3, sampleType: "AUTO"}};
}
function evaluatePixel(s) {
  let c = Math.log(0.5 + s.VV) + Math.exp(-s.VH);
  return [c * 0.3, Math.sqrt(s.VV), s.VH * 5];
}
""",
        S1,
    ),
    "elevation": Good(
        """//VERSION=3
function setup() { return {input: ["DEM"], output: {bands: 1, sampleType: "INT16"}}; }
function evaluatePixel(sample) { return [sample.DEM]; }
""",
        (("dem", None),),
    ),
    "elevation zones": Good(
        """//VERSION=3
var visualizer = ColorMapVisualizer.createDefaultColorMap();
function setup() { return {input: ["DEM"], output: {bands: 3}}; }
function evaluatePixel(sample) { return visualizer.process(sample.DEM / 9000); }
""",
        (("dem", None),),
    ),
    "median of clear days": Good("""//VERSION=3
function setup() {
  return {
    input: [{bands: ["B02", "B03", "B04", "SCL"], units: "DN"}],
    output: {bands: 3, sampleType: "UINT16"},
    mosaicking: "ORBIT"
  };
}
function preProcessScenes(collections) {
  collections.scenes.orbits = collections.scenes.orbits.filter(function (orbit) {
    var date = new Date(orbit.dateFrom);
    return date.getTime() >= collections.to.getTime() - 31 * 24 * 3600 * 1000;
  });
  return collections;
}
function median(values) {
  values.sort((a, b) => a - b);
  return values.length ? values[Math.floor(values.length / 2)] : 0;
}
function evaluatePixel(samples, scenes) {
  var clear = samples.filter(s => [3, 7, 8, 9, 10].indexOf(s.SCL) < 0);
  return ["B04", "B03", "B02"].map(band => median(clear.map(s => s[band])));
}
"""),
    "the best pixel by tile": Good("""//VERSION=3
function setup() {
  return {
    input: [{bands: ["B04", "B08", "CLP", "dataMask"]}],
    output: {bands: 1, sampleType: "FLOAT32"},
    mosaicking: Mosaicking.TILE
  };
}
function preProcessScenes(collections) {
  collections.scenes.tiles = collections.scenes.tiles.filter(tile => tile.cloudCoverage < 50);
  return collections;
}
function evaluatePixel(samples, scenes) {
  let best = -1;
  for (let i = 0; i < samples.length; i++) {
    if (!samples[i].dataMask || scenes.tiles[i].date < "2000") continue;
    best = Math.max(best, index(samples[i].B08, samples[i].B04));
  }
  return [best];
}
"""),
    "a band for each day": Good("""//VERSION=3
function setup() {
  return {
    input: [{bands: ["B04", "B08"]}],
    output: {id: "series", bands: 1, sampleType: "FLOAT32"},
    mosaicking: "ORBIT"
  };
}
function updateOutput(output, collection) {
  output.series.bands = collection.scenes.length;
}
function evaluatePixel(samples) {
  return samples.length ? samples.map(s => index(s.B08, s.B04)) : [NaN];
}
"""),
    "metadata beside the pixels": Good(
        """//VERSION=3
function setup() {
  return {
    input: [{bands: ["B04", "dataMask"], metadata: ["bounds"]}],
    output: [{id: "default", bands: 1, sampleType: "UINT16"}],
    mosaicking: "ORBIT"
  };
}
function updateOutputMetadata(scenes, inputMetadata, outputMetadata) {
  outputMetadata.userData = {
    dates: scenes.orbits.map(o => o.dateFrom),
    tiles: scenes.orbits.map(o => o.tiles.map(t => t.dataPath)),
    factor: inputMetadata.normalizationFactor
  };
}
function evaluatePixel(samples) {
  return [samples.reduce((n, s) => n + s.dataMask, 0)];
}
""",
        responses={"default": "image/tiff", "userdata": "application/json"},
    ),
    # Made like the batch tutorial's script: a calendar made while it loads, globals that nobody declared, the
    # deprecated scenes[i].date, a search for the interval of a date, two outputs of as many bands as dates.
    "interpolation of a calendar": Good(
        """//VERSION=3
var first = new Date(2020, 6, 1, 0, 0, 0);
var last = new Date(2020, 6, 30, 0, 0, 0);
var calendar = days(first, last, 7).map(d => midnight(d));
function midnight(moment) { moment.setHours(0, 0, 0, 0); return moment; }
function days(from, to, step) {
  var day = new Date(from);
  var found = [];
  while (day < to) {
    found.push(day);
    next = new Date(day);
    day = new Date(next.setDate(next.getDate() + step));
  }
  return found;
}
function locate(x, list) {
  let low = 0, high = list.length - 2;
  while (low <= high) {
    let mid = (low + high) >> 1;
    if (list[mid] <= x && x < list[mid + 1]) return mid;
    else if (list[mid + 1] <= x) low = mid + 1;
    else high = mid - 1;
  }
  return x == list[list.length - 1] ? list.length - 2 : undefined;
}
function interpolate(wanted, dates, values, nothing = NaN) {
  results = [];
  masks = [];
  for (var i = 0; i < wanted.length; i++) {
    at = locate(wanted[i], dates);
    if (at === undefined || at < 0) { masks.push(0); results.push(nothing); continue; }
    var share = (wanted[i] - dates[at]) / (dates[at + 1] - dates[at]);
    masks.push(1);
    results.push(values[at] + share * (values[at + 1] - values[at]));
  }
  return [results, masks];
}
function setup() {
  return {
    input: [{bands: ["B04", "B08", "CLM", "dataMask"], units: "DN"}],
    output: [
      {id: "NDVI", bands: calendar.length, sampleType: SampleType.UINT16},
      {id: "data_mask", bands: calendar.length, sampleType: SampleType.UINT8}
    ],
    mosaicking: "ORBIT"
  };
}
function evaluatePixel(samples, scenes) {
  var dates = [], values = [];
  for (var i = samples.length - 1; i >= 0; i--) {
    if (samples[i].CLM === 1 || samples[i].CLM === 255 || samples[i].dataMask != 1) continue;
    dates.push(midnight(new Date(scenes[i].date)));
    values.push((samples[i].B08 - samples[i].B04) / (samples[i].B08 + samples[i].B04) * 10000 + 10000);
  }
  var [ndvi, mask] = interpolate(calendar, dates, values, 0);
  return {NDVI: ndvi, data_mask: mask};
}
""",
        L1C,
    ),
    "own collection": Good(
        """//VERSION=3
function setup() {
  return {input: [{bands: ["Red", "NIR", "UDM2_Clear"]}], output: {bands: 1, sampleType: "FLOAT32"}};
}
function evaluatePixel(s) { return [s.UDM2_Clear ? index(s.NIR, s.Red) : NaN]; }
""",
        (("byoc-0190aabb-1111-2222-3333-444455556666", None),),
    ),
    "units by band": Good("""//VERSION=3
function setup() {
  return {
    input: [{bands: ["B04", "SCL", "sunZenithAngles"], units: ["reflectance", "DN", "DEGREES"]}],
    output: {bands: 1, sampleType: "FLOAT32"}
  };
}
function evaluatePixel(s) { return [s.SCL == 4 ? s.B04 / Math.cos(s.sunZenithAngles * Math.PI / 180) : 0]; }
"""),
    "two inputs of one collection": Good("""//VERSION=3
function setup() {
  return {
    input: [{bands: ["B8A", "B11"], units: "REFLECTANCE"}, {bands: ["CLM"], units: "DN"}],
    output: {bands: 1, sampleType: "FLOAT32"}
  };
}
function evaluatePixel(s) { return [s.CLM ? -1 : index(s.B8A, s.B11)]; }
"""),
    "radar and optical, one sample each": Good(
        """//VERSION=3
function setup() {
  return {
    input: [
      {datasource: "s1", bands: ["VV", "VH"]},
      {datasource: "s2", bands: ["B04", "B08", "SCL"]}
    ],
    output: {bands: 1, sampleType: "FLOAT32"}
  };
}
function evaluatePixel(samples) {
  var radar = samples.s1[0], optical = samples.s2[0];
  if (!optical || optical.SCL == 9) return [radar ? radar.VH / radar.VV : NaN];
  return [index(optical.B08, optical.B04)];
}
""",
        FUSION,
    ),
    "radar and optical over time": Good(
        """//VERSION=3
function setup() {
  return {
    input: [
      {datasource: "s1", bands: ["VV"], mosaicking: "ORBIT"},
      {datasource: "s2", bands: ["B04", "B08"], mosaicking: "TILE"}
    ],
    output: [{id: "radar", bands: 1, sampleType: "FLOAT32"}, {id: "ndvi", bands: 1, sampleType: "FLOAT32"}]
  };
}
function preProcessScenes(collections) {
  let radar = collections.s1;
  radar.scenes.orbits = radar.scenes.orbits.filter(o => new Date(o.dateFrom) <= radar.to);
  return collections;
}
function evaluatePixel(samples, inputData) {
  let newest = inputData.s1.scenes.orbits.length;
  return {
    radar: [samples.s1.reduce((sum, s) => sum + s.VV, 0) / (newest || 1)],
    ndvi: [Math.max(-1, ...samples.s2.map(s => index(s.B08, s.B04)))]
  };
}
""",
        FUSION,
    ),
    "before and after": Good(
        """//VERSION=3
function setup() {
  return {
    input: [{datasource: "before", bands: ["B08", "B12"]}, {datasource: "after", bands: ["B08", "B12"]}],
    output: {bands: 1, sampleType: "FLOAT32"}
  };
}
const nbr = list => (list.length ? index(list[0].B08, list[0].B12) : NaN);
function evaluatePixel(samples) { return [nbr(samples.before) - nbr(samples.after)]; }
""",
        (("sentinel-2-l2a", "before"), ("sentinel-2-l2a", "after")),
    ),
    "classes, with every helper": Good("""//VERSION=3
const own = valueInterpolate(0.3, [0, 1], [[0, 0, 0], [1, 1, 1]]);
const palettes = [blueRed, redTemperature, greenWhite].map(p => p.length);
const ramps = [
  ColorRampVisualizer.createRedTemperature(0, 1), ColorRampVisualizer.createWhiteGreen(0, 1),
  ColorRampVisualizer.createBlueRed(0, 1), ColorRampVisualizer.createOceanColor(0, 1),
  ColorGradientVisualizer.createWhiteGreen(0, 1), new ColorMapVisualizer([[0, 0xff0000], [1, [0, 1, 0]]])
];
function setup() { return {input: ["B04", "B08"], output: {bands: 3, sampleType: "UINT8"}}; }
function evaluatePixel({B04, B08}) {
  const level = valueMap(B08, [0.1, 0.2, 0.4], [1, 2, 3]);
  const other = colorBlend(B08, [0, 1], [own, int2rgb(0xffffff)]);
  const mixed = combine(ramps[level].process(B04), other, 0.5);
  const some = v => (inverse(v) < JAVA_DOUBLE_MAX_VAL ? v : rgb2int([0, 0, 1]));
  return normalizeRGB(mixed).map(some);
}
"""),
    "cloud flags of landsat": Good(
        """//VERSION=3
function setup() { return {input: ["BQA", "B10", "dataMask"], output: {bands: 2, sampleType: "FLOAT32"}}; }
function evaluatePixel(s) { return [decodeL8C2Qa(s.BQA).cloud, s.dataMask ? s.B10 : NaN]; }
""",
        (("landsat-ot-l2", None),),
    ),
    "harmonised": Good(
        """//VERSION=3
function setup() { return {input: ["NIR_Narrow", "Red", "QA"], output: {bands: 1, sampleType: "FLOAT32"}}; }
function evaluatePixel(s) { return [index(s.NIR_Narrow, s.Red)]; }
""",
        (("hls", None),),
    ),
    "nothing but the mask": Good("""//VERSION=3
function setup() { return {input: ["dataMask"], output: {bands: 1, sampleType: "UINT8"}}; }
function evaluatePixel(s) { return [s.dataMask]; }
"""),
}
