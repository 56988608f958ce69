// What the service puts at an evalscript's disposal besides JavaScript itself: constants, visualizers and
// helper functions, as the "Utility functions" page of the evalscript documentation describes them.
//
// Everything becomes an ordinary property of the global object, so that a script may declare the same
// name itself with var, let, const, class or function.
(function (global) {
  'use strict';

  const MAX_DOUBLE = 1.7976931348623157e308;

  const int2rgb = (color) => [(color >> 16) & 0xff, (color >> 8) & 0xff, color & 0xff];
  const rgb2int = ([red, green, blue]) => (red << 16) | (green << 8) | blue;
  const normalizeRGB = (rgb) => rgb.map((value) => value / 255);
  const asBytes = (color) => (Array.isArray(color) ? color.map((value) => value * 255) : int2rgb(color));

  const blueRed = [
    [1.0, 0x000080], [0.875, 0x0000ff], [0.625, 0x00ffff],
    [0.375, 0xffff00], [0.125, 0xff0000], [0.0, 0x800000],
  ];
  const redTemperature = [
    [1.0, 0x000000], [0.525, 0xae0000], [0.3, 0xff6e00], [0.25, 0xff8600], [0.0, 0xffffff],
  ];
  const greenWhite = [[1.0, 0x000000], [0.6, 0x006600], [0.3, 0x80b300], [0.0, 0xffffff]];
  const oceanColor = [
    [0.0, [147, 0, 108]], [0.0471, [111, 0, 144]], [0.098, [72, 0, 183]], [0.149, [33, 0, 222]],
    [0.2, [0, 10, 255]], [0.2471, [0, 74, 255]], [0.298, [0, 144, 255]], [0.349, [0, 213, 255]],
    [0.4, [0, 255, 215]], [0.4471, [0, 255, 119]], [0.498, [0, 255, 15]], [0.549, [96, 255, 0]],
    [0.6, [200, 255, 0]], [0.6471, [255, 235, 0]], [0.698, [255, 183, 0]], [0.749, [255, 131, 0]],
    [0.8, [255, 79, 0]], [0.8471, [255, 31, 0]], [0.898, [230, 0, 0]], [0.949, [165, 0, 0]],
    [1.0, [105, 0, 0]],
  ].map(([value, rgb]) => [value, normalizeRGB(rgb)]);

  const ascending = (pairs) => pairs.slice().sort((a, b) => a[0] - b[0]);
  // The named gradients are listed from 1 down to 0, but their factories start with the first colour. The
  // documented values of the two visualizers show two ways of turning them round: the ramp's keeps the
  // stops where they are and moves the colours, the gradient's mirrors both.
  const recoloured = (pairs) => pairs.map(([, color], i) => [pairs[pairs.length - 1 - i][0], color]);
  const mirrored = (pairs) => pairs.map(([value, color]) => [1 - value, color]);

  function stretched(pairs, minVal, maxVal) {
    const sorted = ascending(pairs);
    const low = sorted[0][0];
    const high = sorted[sorted.length - 1][0];
    const from = minVal === undefined ? low : minVal;
    const to = maxVal === undefined ? high : maxVal;
    const scale = high === low ? 0 : (to - from) / (high - low);
    return sorted.map(([value, color]) => [from + (value - low) * scale, color]);
  }

  class ColorMapVisualizer {
    constructor(valColPairs) {
      this.pairs = ascending(valColPairs).map(([value, color]) => [value, normalizeRGB(asBytes(color))]);
    }

    static createDefaultColorMap() {
      return new ColorMapVisualizer([
        [-1.0, 0x000000], [-0.2, 0xff0000], [-0.1, 0x9a0000], [0.0, 0x660000], [0.1, 0xffff33],
        [0.2, 0xcccc33], [0.3, 0x666600], [0.4, 0x33ffff], [0.5, 0x33cccc], [0.6, 0x006666],
        [0.7, 0x33ff33], [0.8, 0x33cc33], [0.9, 0x006600],
      ]);
    }

    process(val) {
      let color = this.pairs[0][1];
      for (const [value, next] of this.pairs) {
        if (val < value) break;
        color = next;
      }
      return color.slice();
    }
  }

  class ColorRampVisualizer {
    constructor(ramps, minVal, maxVal) {
      this.ramps = stretched(ramps, minVal, maxVal);
      this.values = this.ramps.map(([value]) => value);
      this.colors = this.ramps.map(([, color]) => asBytes(color));
    }

    static createRedTemperature(minVal, maxVal) {
      return new ColorRampVisualizer(recoloured(redTemperature), minVal, maxVal);
    }

    static createWhiteGreen(minVal, maxVal) {
      return new ColorRampVisualizer(recoloured(greenWhite), minVal, maxVal);
    }

    static createBlueRed(minVal, maxVal) {
      return new ColorRampVisualizer(recoloured(blueRed), minVal, maxVal);
    }

    static createOceanColor(minVal, maxVal) {
      return new ColorRampVisualizer(oceanColor, minVal, maxVal);
    }

    inverse() {
      const last = this.ramps.length - 1;
      return new ColorRampVisualizer(this.ramps.map(([value], i) => [value, this.ramps[last - i][1]]));
    }

    // Colours are mixed as bytes and cut off, as the documented values show: half of 0xff0000 is 127 / 255.
    process(value) {
      const color = interpolate(value, this.values, this.colors);
      for (let i = 0; i < color.length; i++) color[i] = Math.floor(color[i] + 1e-9) / 255;
      return color;
    }
  }

  // Deprecated upstream. Mixes bytes too, but rounds them.
  class ColorGradientVisualizer {
    constructor(valColPairs, minVal = 0.0, maxVal = 1.0) {
      this.ramp = new ColorRampVisualizer(valColPairs, minVal, maxVal);
    }

    static createRedTemperature(minVal, maxVal) {
      return new ColorGradientVisualizer(mirrored(redTemperature), minVal, maxVal);
    }

    static createWhiteGreen(minVal, maxVal) {
      return new ColorGradientVisualizer(mirrored(greenWhite), minVal, maxVal);
    }

    static createBlueRed(minVal, maxVal) {
      return new ColorGradientVisualizer(mirrored(blueRed), minVal, maxVal);
    }

    process(val) {
      return interpolate(val, this.ramp.values, this.ramp.colors).map((value) => Math.round(value) / 255);
    }
  }

  // Linear up to 0.92 of the way from minValue to maxValue, then a second, flat line that reaches 1 at
  // 2 * maxValue - minValue.
  class HighlightCompressVisualizer {
    constructor(minValue = 0.0, maxValue = 1.0, gain = 1.0, offset = 0.0, gamma = 1.0) {
      this.minValue = minValue;
      this.maxValue = maxValue;
      this.gain = gain;
      this.offset = offset;
      this.gamma = gamma;
      this.compresses = maxValue > 0 && maxValue < 1;
    }

    process(val) {
      let value = (val - this.minValue) / (this.maxValue - this.minValue);
      if (this.compresses && value > 0.92) value = 0.92 + ((value - 0.92) * 0.08) / 1.08;
      value = value * this.gain + this.offset;
      if (this.gamma !== 1 && value > 0) value = Math.pow(value, this.gamma);
      return Math.max(0, Math.min(1, value));
    }
  }

  function combine(color1, color2, alpha) {
    return color1.map((value, i) => value * alpha + color2[i] * (1 - alpha));
  }

  function index(x, y) {
    const sum = x + y;
    return sum === 0 ? 0 : (x - y) / sum;
  }

  function inverse(x) {
    return x === 0 ? MAX_DOUBLE : 1 / x;
  }

  function valueMap(value, intervals, values) {
    if (intervals === undefined) return value;
    for (let i = 0; i < intervals.length; i++) {
      if (value <= intervals[i]) return values[i];
    }
    return values[intervals.length - 1];
  }

  function interpolate(value, intervals, values) {
    const last = intervals.length - 1;
    let i = 0;
    while (i < last && value > intervals[i]) i++;
    const upper = values[i];
    if (i === 0 || value >= intervals[last]) {
      const end = value >= intervals[last] ? values[last] : upper;
      return Array.isArray(end) ? end.slice() : end;
    }
    const lower = values[i - 1];
    const share = (value - intervals[i - 1]) / (intervals[i] - intervals[i - 1]);
    if (!Array.isArray(upper)) return lower + (upper - lower) * share;
    const mixed = new Array(upper.length);
    for (let j = 0; j < upper.length; j++) mixed[j] = lower[j] + (upper[j] - lower[j]) * share;
    return mixed;
  }

  function valueInterpolate(value, intervals, values) {
    return intervals === undefined ? value : interpolate(value, intervals, values);
  }

  function decodeL8C2Qa(value) {
    const bits = (shift, count) => (value >> shift) & ((1 << count) - 1);
    const decoded = {
      fill: bits(0, 1), dilatedCloud: bits(1, 1), cirrus: bits(2, 1), cloud: bits(3, 1),
      cloudShadow: bits(4, 1), snow: bits(5, 1), clear: bits(6, 1), water: bits(7, 1),
      cloudConfidence: bits(8, 2), cloudShadowConfidence: bits(10, 2),
      snowIceConfidence: bits(12, 2), cirrusConfidence: bits(14, 2),
    };
    return decoded;
  }

  // Bit 31 is land; the saturation flags of the 21 bands fill the low end, B21 in bit 0.
  function decodeS3OLCIQualityFlags(value) {
    const names = [
      'land', 'coastline', 'fresh_inland_water', 'tidal_region', 'bright', 'straylight_risk',
      'invalid', 'cosmetic', 'duplicated', 'sun_glint_risk', 'dubious',
    ];
    for (let band = 1; band <= 21; band++) names.push('saturatedB' + String(band).padStart(2, '0'));
    const decoded = {};
    names.forEach((name, i) => { decoded[name] = (value >>> (31 - i)) & 1; });
    return decoded;
  }

  const constants = (...names) => Object.freeze(Object.fromEntries(names.map((name) => [name, name])));

  Object.assign(global, {
    SampleType: constants('INT8', 'UINT8', 'INT16', 'UINT16', 'FLOAT32', 'AUTO'),
    Mosaicking: constants('SIMPLE', 'ORBIT', 'TILE'),
    JAVA_DOUBLE_MAX_VAL: MAX_DOUBLE,
    blueRed, redTemperature, greenWhite, oceanColor,
    ColorMapVisualizer, ColorRampVisualizer, ColorGradientVisualizer, HighlightCompressVisualizer,
    int2rgb, rgb2int, normalizeRGB, combine, index, inverse, valueMap, valueInterpolate,
    colorBlend: valueInterpolate,
    decodeL8C2Qa, decodeS3OLCIQualityFlags,
  });

  // Evalscripts run in UTC wherever this machine is (assumed of the service: a script cannot tell its
  // time zone). The getters and setters are replaced by their UTC namesakes; the constructor only where
  // local time differs, because a wrapped constructor is slower.
  const NativeDate = Date;
  const native = NativeDate.prototype;
  const localOffset = native.getTimezoneOffset;
  const printers = ['toString', 'toDateString', 'toTimeString'].map((name) => [name, native[name]]);
  const elsewhere = [1970, 1990, 2020].some((year) => [0, 6].some(
    (month) => localOffset.call(new NativeDate(NativeDate.UTC(year, month, 1))) !== 0));

  for (const name of Object.getOwnPropertyNames(native)) {
    const local = name.replace('UTC', '');
    if (local !== name && local !== 'toString' && local in native) native[local] = native[name];
  }
  native.getTimezoneOffset = () => 0;

  if (elsewhere) {
    const ZONED = /(?:Z|GMT|UTC|[+-]\d\d:?\d\d)(?:\s*\(.*\))?\s*$/i;
    const DATE_ONLY = /^\s*[+-]?\d{4,6}(?:-\d\d){0,2}\s*$/;
    const offset = (time) => localOffset.call(new NativeDate(time)) * 60000;
    const parse = (text) => {
      const time = NativeDate.parse(text);
      return DATE_ONLY.test(text) || ZONED.test(text) ? time : time - offset(time);
    };
    for (const [name, print] of printers) {
      native[name] = function () {
        const time = this.getTime();
        return print.call(new NativeDate(time + offset(time))).replace(/GMT.*$/, 'GMT+0000');
      };
    }
    const UTCDate = function (...parts) {
      if (new.target === undefined) return new NativeDate().toString();
      let date;
      if (parts.length > 1) date = new NativeDate(NativeDate.UTC(...parts));
      else if (typeof parts[0] === 'string') date = new NativeDate(parse(parts[0]));
      else date = new NativeDate(...parts);
      return new.target === UTCDate ? date : Object.setPrototypeOf(date, new.target.prototype);
    };
    UTCDate.prototype = native;
    Object.assign(UTCDate, { now: NativeDate.now, UTC: NativeDate.UTC, parse });
    Object.defineProperty(native, 'constructor', { value: UTCDate, writable: true, configurable: true });
    global.Date = UTCDate;
  }
})(globalThis);
