//VERSION=3

// NDVI on five days, a week apart, interpolated between the clear acquisitions around each of them.
// NDVI: 10000 * NDVI + 10000 for each day, 0 where there is none.
// data_mask: 1 where there is one.

const FIRST_DAY = Date.UTC(2020, 6, 1);
const DAY = 24 * 3600 * 1000;
const DAYS = [0, 7, 14, 21, 28].map((day) => FIRST_DAY + day * DAY);

function setup() {
  return {
    input: [{ bands: ["B04", "B08", "CLM", "dataMask"], units: "DN" }],
    output: [
      { id: "NDVI", bands: DAYS.length, sampleType: "UINT16" },
      { id: "data_mask", bands: DAYS.length, sampleType: "UINT8" },
    ],
    mosaicking: "ORBIT",
  };
}

function evaluatePixel(samples, scenes) {
  const clear = [];
  samples.forEach((sample, i) => {
    // CLM is Sentinel Hub's cloud mask: 1 is cloud, 255 is not known.
    if (sample.dataMask === 1 && sample.CLM === 0 && sample.B08 + sample.B04 > 0) {
      const ndvi = (sample.B08 - sample.B04) / (sample.B08 + sample.B04);
      clear.push({ time: timeOf(scenes.orbits[i].dateFrom), ndvi });
    }
  });
  clear.sort((a, b) => a.time - b.time);
  const series = DAYS.map((day) => interpolated(clear, day));
  return {
    NDVI: series.map((ndvi) => (ndvi === null ? 0 : Math.round(10000 * ndvi + 10000))),
    data_mask: series.map((ndvi) => (ndvi === null ? 0 : 1)),
  };
}

// Dates are few and pixels many: each date is read once.
const TIMES = {};

function timeOf(date) {
  if (!(date in TIMES)) {
    TIMES[date] = Date.parse(date);
  }
  return TIMES[date];
}

// Between two acquisitions on the line through them, before the first and after the last as these.
function interpolated(clear, day) {
  if (clear.length === 0) {
    return null;
  }
  const next = clear.findIndex((one) => one.time >= day);
  if (next <= 0) {
    return clear[next === 0 ? 0 : clear.length - 1].ndvi;
  }
  const [a, b] = [clear[next - 1], clear[next]];
  return a.ndvi + ((b.ndvi - a.ndvi) * (day - a.time)) / (b.time - a.time);
}
