//VERSION=3

// Mean NDVI of all clear acquisitions in the time range, and how much of it can be trusted.
// NDVI: (B08 - B04) / (B08 + B04), -1 to 1, NaN where no acquisition was clear.
// data_mask: 1 where at least one acquisition was clear.

function setup() {
  return {
    input: [{ bands: ["B04", "B08", "CLM", "dataMask"], units: "DN" }],
    output: [
      { id: "NDVI", bands: 1, sampleType: "FLOAT32", nodataValue: NaN },
      { id: "data_mask", bands: 1, sampleType: "UINT8" },
    ],
    mosaicking: "ORBIT",
  };
}

function evaluatePixel(samples) {
  let sum = 0;
  let clear = 0;
  for (const sample of samples) {
    // CLM is Sentinel Hub's cloud mask: 1 is cloud, 255 is not known.
    if (sample.dataMask === 1 && sample.CLM === 0 && sample.B08 + sample.B04 > 0) {
      sum += (sample.B08 - sample.B04) / (sample.B08 + sample.B04);
      clear += 1;
    }
  }
  return {
    NDVI: [clear > 0 ? sum / clear : NaN],
    data_mask: [clear > 0 ? 1 : 0],
  };
}
