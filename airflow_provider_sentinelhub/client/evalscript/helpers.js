// What the service offers to scripts beside JavaScript itself, under ordinary global names: a script may
// declare the same ones. DefaultVisualizer and processList are not documented, but used by published scripts.
(function (global) {
  'use strict';

  const clamp = (value) => Math.max(0, Math.min(1, value));
  const int2rgb = (color) => [(color >> 16) & 255, (color >> 8) & 255, color & 255];
  const rgb2int = ([red, green, blue]) => (red << 16) | (green << 8) | blue;
  const normalizeRGB = (color) => color.map((value) => value / 255);
  const bytes = (color) => (Array.isArray(color) ? color.map((value) => value * 255) : int2rgb(color));
  const sorted = (pairs) => pairs.slice().sort((a, b) => a[0] - b[0]);

  // Where a value lies: the index of the stop above it, and its share of the way there.
  function locate(value, stops) {
    const above = stops.findIndex((stop) => value <= stop);
    if (above === 0) return [0, 1];
    if (above < 0) return [stops.length - 1, 1];
    return [above, (value - stops[above - 1]) / (stops[above] - stops[above - 1])];
  }

  function valueInterpolate(value, stops, values) {
    if (stops === undefined) return value;
    const [above, share] = locate(value, stops);
    const mix = (low, high) => low + (high - low) * share;
    const high = values[above];
    const low = above > 0 ? values[above - 1] : high;
    return Array.isArray(high) ? high.map((part, i) => mix(low[i], part)) : mix(low, high);
  }

  function valueMap(value, stops, values) {
    if (stops === undefined) return value;
    const above = stops.findIndex((stop) => value <= stop);
    return values[above < 0 ? stops.length - 1 : above];
  }

  const blueRed = [
    [1, 0x000080], [0.875, 0x0000ff], [0.625, 0x00ffff], [0.375, 0xffff00], [0.125, 0xff0000], [0, 0x800000],
  ];
  const redTemperature = [[1, 0x000000], [0.525, 0xae0000], [0.3, 0xff6e00], [0.25, 0xff8600], [0, 0xffffff]];
  const greenWhite = [[1, 0x000000], [0.6, 0x006600], [0.3, 0x80b300], [0, 0xffffff]];
  const ocean = [
    0x93006c, 0x6f0090, 0x4800b7, 0x2100de, 0x000aff, 0x004aff, 0x0090ff, 0x00d5ff, 0x00ffd7, 0x00ff77, 0x00ff0f,
    0x60ff00, 0xc8ff00, 0xffeb00, 0xffb700, 0xff8300, 0xff4f00, 0xff1f00, 0xe60000, 0xa50000, 0x690000,
  ].map((color, i) => [Math.floor(i * 12.75) / 255, color]);
  const backwards = (pairs) => pairs.map(([value], i) => [value, pairs[pairs.length - 1 - i][1]]);
  const mirrored = (pairs) => pairs.map(([value, color]) => [1 - value, color]);

  class ColorMapVisualizer {
    constructor(pairs) {
      this.pairs = sorted(pairs).map(([value, color]) => [value, normalizeRGB(bytes(color))]);
    }
    static createDefaultColorMap() {
      const colors = [0xff0000, 0x9a0000, 0x660000, 0xffff33, 0xcccc33, 0x666600, 0x33ffff, 0x33cccc, 0x006666,
        0x33ff33, 0x33cc33, 0x006600];
      return new ColorMapVisualizer([[-1, 0], ...colors.map((color, i) => [(i - 2) / 10, color])]);
    }
    process(value) {
      return (this.pairs.filter(([stop]) => stop <= value).pop() || this.pairs[0])[1].slice();
    }
  }

  class ColorRampVisualizer {
    constructor(pairs, minimum, maximum) {
      const stops = sorted(pairs);
      const [first, last] = [stops[0][0], stops[stops.length - 1][0]];
      const [from, to] = [minimum === undefined ? first : minimum, maximum === undefined ? last : maximum];
      this.stops = stops.map(([stop]) => from + (last === first ? 0 : (stop - first) / (last - first)) * (to - from));
      this.colors = stops.map(([, color]) => bytes(color));
    }
    inverse() {
      const turned = this.colors.slice().reverse();
      return new ColorRampVisualizer(this.stops.map((stop, i) => [stop, normalizeRGB(turned[i])]));
    }
    process(value) {
      return valueInterpolate(value, this.stops, this.colors).map((byte) => Math.floor(byte + 1e-9) / 255);
    }
    static createRedTemperature(...range) { return new ColorRampVisualizer(backwards(redTemperature), ...range); }
    static createWhiteGreen(...range) { return new ColorRampVisualizer(backwards(greenWhite), ...range); }
    static createBlueRed(...range) { return new ColorRampVisualizer(backwards(blueRed), ...range); }
    static createOceanColor(...range) { return new ColorRampVisualizer(ocean, ...range); }
  }

  class ColorGradientVisualizer {
    constructor(pairs, minimum = 0, maximum = 1) {
      this.ramp = new ColorRampVisualizer(pairs, minimum, maximum);
    }
    process(value) {
      return valueInterpolate(value, this.ramp.stops, this.ramp.colors).map((byte) => Math.round(byte) / 255);
    }
    static createRedTemperature(...range) { return new ColorGradientVisualizer(mirrored(redTemperature), ...range); }
    static createWhiteGreen(...range) { return new ColorGradientVisualizer(mirrored(greenWhite), ...range); }
    static createBlueRed(...range) { return new ColorGradientVisualizer(mirrored(blueRed), ...range); }
  }

  class DefaultVisualizer {
    constructor(minimum = 0, maximum = 1, gain = 1, offset = 0, gamma = 1) {
      Object.assign(this, { minimum, maximum, gain, offset, gamma });
    }
    stretch(value) {
      return (value - this.minimum) / (this.maximum - this.minimum);
    }
    process(value) {
      const result = this.stretch(value) * this.gain + this.offset;
      return clamp(this.gamma !== 1 && result > 0 ? result ** this.gamma : result);
    }
    processList(values) {
      return values.map((value) => this.process(value));
    }
  }

  // Above 0.92 of the way a second, flat line begins.
  class HighlightCompressVisualizer extends DefaultVisualizer {
    stretch(value) {
      const result = super.stretch(value);
      const compressed = this.maximum > 0 && this.maximum < 1 && result > 0.92;
      return compressed ? 0.92 + ((result - 0.92) * 0.08) / 1.08 : result;
    }
  }

  function decodeL8C2Qa(value) {
    const fields = {
      fill: 1, dilatedCloud: 1, cirrus: 1, cloud: 1, cloudShadow: 1, snow: 1, clear: 1, water: 1,
      cloudConfidence: 2, cloudShadowConfidence: 2, snowIceConfidence: 2, cirrusConfidence: 2,
    };
    let shift = 0;
    return Object.fromEntries(Object.entries(fields).map(([name, width]) => {
      const bits = (value >> shift) & (2 ** width - 1);
      shift += width;
      return [name, bits];
    }));
  }

  function decodeS3OLCIQualityFlags(value) {
    const names = [
      'land', 'coastline', 'fresh_inland_water', 'tidal_region', 'bright', 'straylight_risk', 'invalid', 'cosmetic',
      'duplicated', 'sun_glint_risk', 'dubious',
    ];
    for (let band = 1; band <= 21; band++) names.push(`saturatedB${String(band).padStart(2, '0')}`);
    return Object.fromEntries(names.map((name, i) => [name, (value >>> (31 - i)) & 1]));
  }

  const names = (...list) => Object.fromEntries(list.map((name) => [name, name]));

  Object.assign(global, {
    SampleType: names('INT8', 'UINT8', 'INT16', 'UINT16', 'FLOAT32', 'AUTO'),
    Mosaicking: names('SIMPLE', 'ORBIT', 'TILE'),
    JAVA_DOUBLE_MAX_VAL: Number.MAX_VALUE,
    blueRed, redTemperature, greenWhite,
    ColorMapVisualizer, ColorRampVisualizer, ColorGradientVisualizer, DefaultVisualizer, HighlightCompressVisualizer,
    int2rgb, rgb2int, normalizeRGB, valueMap, valueInterpolate, colorBlend: valueInterpolate,
    combine: (color, other, alpha) => color.map((value, i) => value * alpha + other[i] * (1 - alpha)),
    index: (x, y) => (x + y === 0 ? 0 : (x - y) / (x + y)),
    inverse: (x) => (x === 0 ? Number.MAX_VALUE : 1 / x),
    decodeL8C2Qa, decodeS3OLCIQualityFlags,
  });
})(globalThis);
