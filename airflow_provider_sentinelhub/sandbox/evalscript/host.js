// Runs the evalscript's functions. Evaluates to one function, host(command, ...), that Python calls; nothing of
// it is visible to the script. Pixels come and go as base64 of Float64Array: one transfer for thousands of them.
(function () {
  'use strict';

  const NativeDate = Date;
  const lookUp = globalThis.eval; // indirect: sees the script's global let and const as well

  let job; // what start() was given
  let makeSample; // (values, offset) -> {B04: …, …}
  let scenes;
  let kept; // indices of the scenes that preProcessScenes left
  let outputs; // [{id, bands}] that were asked for
  let width; // numbers per pixel in the answer
  let odd; // output id -> lengths other than the declared one, with how often they came
  let evaluatePixel;
  let inputMetadata;
  let customData;
  let outputMetadata;

  // An error the service itself would report, as opposed to one thrown by JavaScript.
  function refuse(message) {
    const error = new Error(message);
    error.name = 'ServiceError';
    throw error;
  }

  function theFunction(name) {
    const found = lookUp(`typeof ${name} === 'undefined' ? undefined : ${name}`);
    return typeof found === 'function' ? found : undefined;
  }

  function required(name) {
    const found = theFunction(name);
    if (found === undefined) throw new ReferenceError(`${name} is not defined`);
    return found;
  }

  // JSON has no NaN or Infinity, which a nodataValue may be.
  const jsonNumber = (key, value) => (typeof value === 'number' && !isFinite(value) ? String(value) : value);

  function setup() {
    const result = required('setup')();
    required('evaluatePixel');
    return JSON.stringify(result === undefined ? null : result, jsonNumber);
  }

  const tileOf = (tile, idx) => ({ ...tile, ...(idx === undefined ? {} : { __idx: idx }) });
  const orbitOf = (scene, idx, withTiles) => ({
    ...(withTiles ? { tiles: scene.tiles.map((tile) => tileOf(tile)) } : {}),
    dateTo: scene.dateTo, __idx: idx, dateFrom: scene.dateFrom,
  });

  // The `scenes` parameter: {orbits: […]} or {tiles: […]}, and at the same time the deprecated array of
  // {date: Date}, whose elements do not show when the object is printed.
  function scenesObject(indices, withTiles) {
    if (job.mosaicking === 'SIMPLE') return {};
    const name = job.mosaicking === 'ORBIT' ? 'orbits' : 'tiles';
    const object = Object.create(Array.prototype, { length: { value: indices.length, writable: true } });
    indices.forEach((index, i) => {
      const value = { date: new NativeDate(job.scenes[index].date), __idx: index };
      Object.defineProperty(object, i, { value, writable: true, configurable: true });
    });
    object[name] = indices.map((index) => {
      const scene = job.scenes[index];
      return name === 'orbits' ? orbitOf(scene, index, withTiles) : tileOf(scene.tiles[0], index);
    });
    return object;
  }

  function preProcess() {
    const all = job.scenes.map((_, i) => i);
    const preProcessScenes = theFunction('preProcessScenes');
    if (preProcessScenes === undefined || job.mosaicking === 'SIMPLE' || all.length === 0) return all;
    const collections = { scenes: scenesObject(all, false) };
    if (job.mosaicking === 'ORBIT') {
      collections.from = new NativeDate(job.from);
      collections.to = new NativeDate(job.to);
    }
    const result = preProcessScenes(collections);
    const left = result && result.scenes;
    const list = Array.isArray(left) ? left : left && (left.orbits || left.tiles);
    if (!Array.isArray(list)) refuse('preProcessScenes must return an object with scenes.');
    const indices = list.map((scene) => scene && scene.__idx);
    if (!indices.every((index) => all.includes(index))) refuse('preProcessScenes must return scenes it was given.');
    return indices;
  }

  function updateBands() {
    const updateOutput = theFunction('updateOutput');
    if (updateOutput === undefined) return;
    const output = {};
    for (const { id, bands } of job.outputs) output[id] = { bands };
    updateOutput(output, { scenes: kept.map((index) => ({ date: new NativeDate(job.scenes[index].date) })) });
    for (const declared of job.outputs) {
      const bands = output[declared.id] && output[declared.id].bands;
      if (!Number.isInteger(bands) || bands < 0) refuse(`Output ${declared.id} has an invalid number of bands: ${bands}`);
      declared.bands = Math.max(bands, 1);
    }
  }

  // details: {mosaicking, bands, from, to, scenes: [{date, dateFrom, dateTo, tiles}], outputs: [{id, bands}],
  // requested: [id], inputMetadata}
  function start(details, sampleMaker) {
    job = JSON.parse(details);
    makeSample = sampleMaker;
    evaluatePixel = required('evaluatePixel');
    inputMetadata = job.inputMetadata;
    customData = {};
    outputMetadata = {};
    kept = preProcess();
    updateBands();
    scenes = scenesObject(kept, true);
    outputs = job.outputs.filter(({ id }) => job.requested.includes(id));
    width = outputs.reduce((sum, { bands }) => sum + bands, 0);
    odd = {};
    return JSON.stringify({ kept, outputs, reports: theFunction('updateOutputMetadata') !== undefined });
  }

  function noteLength(output, length) {
    const lengths = odd[output.id] || (odd[output.id] = {});
    lengths[length] = (lengths[length] || 0) + 1;
  }

  function write(values, output, target, offset) {
    if (!Array.isArray(values) && !ArrayBuffer.isView(values)) refuse('Script must return an array.');
    const { length } = values;
    const { bands } = output;
    const n = length < bands ? length : bands;
    for (let i = 0; i < n; i++) target[offset + i] = values[i];
    if (length !== bands) noteLength(output, length);
  }

  function pixels(count, encoded) {
    const values = new Float64Array(Uint8Array.fromBase64(encoded).buffer);
    const target = new Float64Array(count * width);
    const simple = job.mosaicking === 'SIMPLE';
    const bands = job.bands.length;
    const depth = simple ? 1 : kept.length;
    const single = job.outputs.length === 1;
    let read = 0;
    let offset = 0;
    for (let p = 0; p < count; p++) {
      let samples;
      if (simple) {
        samples = makeSample(values, read);
        read += bands;
      } else {
        samples = new Array(depth);
        for (let i = 0; i < depth; i++) {
          samples[i] = makeSample(values, read);
          read += bands;
        }
      }
      const result = evaluatePixel(samples, scenes, inputMetadata, customData, outputMetadata);
      if (result === undefined) {
        offset += width;
      } else if (Array.isArray(result)) {
        if (!single) refuse('Script must return an object with an array for each output.');
        if (width > 0) write(result, outputs[0], target, offset);
        offset += width;
      } else {
        if (result === null || typeof result !== 'object') refuse('Script must return an array.');
        for (let i = 0; i < outputs.length; i++) {
          const output = outputs[i];
          write(result[output.id], output, target, offset);
          offset += output.bands;
        }
      }
    }
    return new Uint8Array(target.buffer).toBase64();
  }

  const report = () => JSON.stringify({ odd, wroteUserData: outputMetadata.userData !== undefined });

  function finish() {
    const updateOutputMetadata = theFunction('updateOutputMetadata');
    // Not without scenes (assumed): the service then says "No data" instead of delivering anything.
    const anything = job.mosaicking === 'SIMPLE' || kept.length > 0;
    if (anything && updateOutputMetadata !== undefined) {
      updateOutputMetadata(scenes, inputMetadata, outputMetadata);
    }
    const { userData } = outputMetadata;
    return JSON.stringify(userData === undefined ? {} : userData);
  }

  const commands = { setup, start, pixels, report, finish };
  return (command, ...rest) => commands[command](...rest);
})()
