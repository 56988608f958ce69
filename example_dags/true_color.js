//VERSION=3

// What the eye would see, brightened.

function setup() {
  return { input: ["B02", "B03", "B04"], output: { bands: 3 } };
}

function evaluatePixel(sample) {
  return [3.5 * sample.B04, 3.5 * sample.B03, 3.5 * sample.B02];
}
