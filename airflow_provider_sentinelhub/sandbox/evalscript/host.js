// Runs the evalscript's functions. Evaluates to one function, host(command, ...), that Python calls; nothing of
// it is visible to the script. Pixels come and go as base64 of Float64Array: one transfer for thousands of them.
(function () {
  'use strict';

  const NativeDate = Date;
  const lookUp = globalThis.eval; // indirect: sees the script's global let and const as well

  let job; // what start() was given
  let sources; // those of start(), each with kept (indices of the scenes that preProcessScenes left), depth
  // (samples of a pixel) and make: (values, offset) -> {B04: …, …}
  let fusion; // whether there are several of them
  let scenes;
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
  function scenesObject(source, indices, withTiles) {
    if (source.mosaicking === 'SIMPLE') return {};
    const name = source.mosaicking === 'ORBIT' ? 'orbits' : 'tiles';
    const object = Object.create(Array.prototype, { length: { value: indices.length, writable: true } });
    indices.forEach((index, i) => {
      const value = { date: new NativeDate(source.scenes[index].date), __idx: index };
      Object.defineProperty(object, i, { value, writable: true, configurable: true });
    });
    object[name] = indices.map((index) => {
      const scene = source.scenes[index];
      return name === 'orbits' ? orbitOf(scene, index, withTiles) : tileOf(scene.tiles[0], index);
    });
    return object;
  }

  // What the functions are given for a source, or in data fusion for each source under its key.
  function perSource(make) {
    return fusion ? Object.fromEntries(sources.map((source) => [source.key, make(source)])) : make(sources[0]);
  }

  function collectionOf(source) {
    const collection = { scenes: scenesObject(source, source.kept, false) };
    if (source.mosaicking === 'ORBIT') {
      collection.from = new NativeDate(source.from);
      collection.to = new NativeDate(source.to);
    }
    return collection;
  }

  function preProcess() {
    for (const source of sources) source.kept = source.scenes.map((_, i) => i);
    const preProcessScenes = theFunction('preProcessScenes');
    if (preProcessScenes === undefined || sources.every(({ scenes: all }) => all.length === 0)) return;
    const result = preProcessScenes(perSource(collectionOf));
    for (const source of sources) {
      if (source.scenes.length > 0) source.kept = left(fusion ? result && result[source.key] : result, source.kept);
    }
  }

  function left(collection, all) {
    const remaining = collection && collection.scenes;
    const list = Array.isArray(remaining) ? remaining : remaining && (remaining.orbits || remaining.tiles);
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
    const dated = (source) => source.kept.map((index) => ({ date: new NativeDate(source.scenes[index].date) }));
    updateOutput(output, perSource((source) => ({ scenes: dated(source) })));
    for (const declared of job.outputs) {
      const bands = output[declared.id] && output[declared.id].bands;
      if (!Number.isInteger(bands) || bands < 0) refuse(`Output ${declared.id} has an invalid number of bands: ${bands}`);
      declared.bands = Math.max(bands, 1);
    }
  }

  // details: {sources: [{key, mosaicking, bands: number, from, to, scenes: [{date, dateFrom, dateTo, tiles}],
  // empty}], outputs: [{id, bands}], requested: [id], inputMetadata}
  function start(details, makers) {
    job = JSON.parse(details);
    sources = job.sources;
    fusion = sources.length > 1;
    evaluatePixel = required('evaluatePixel');
    inputMetadata = job.inputMetadata;
    customData = {};
    outputMetadata = {};
    preProcess();
    updateBands();
    sources.forEach((source, i) => {
      source.make = makers[i];
      const flat = fusion && source.empty ? 0 : 1;
      source.depth = source.mosaicking === 'SIMPLE' ? flat : source.kept.length;
    });
    // In data fusion they are found as scenes.<key>.scenes (seen in the wild).
    const told = (source) => scenesObject(source, source.kept, true);
    scenes = fusion ? perSource((source) => ({ scenes: told(source) })) : told(sources[0]);
    outputs = job.outputs.filter(({ id }) => job.requested.includes(id));
    width = outputs.reduce((sum, { bands }) => sum + bands, 0);
    odd = {};
    const reports = theFunction('updateOutputMetadata') !== undefined;
    const [kept, depths] = [sources.map((source) => source.kept), sources.map(({ depth }) => depth)];
    return JSON.stringify({ kept, depths, outputs, reports });
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
    const { mosaicking, make, bands, depth } = sources[0];
    const simple = mosaicking === 'SIMPLE';
    const single = job.outputs.length === 1;
    let read = 0;
    let offset = 0;
    function list(source) {
      const taken = new Array(source.depth);
      for (let i = 0; i < source.depth; i++) {
        taken[i] = source.make(values, read);
        read += source.bands;
      }
      return taken;
    }
    for (let p = 0; p < count; p++) {
      let samples;
      if (fusion) {
        samples = {};
        for (const source of sources) samples[source.key] = list(source);
      } else if (simple) {
        samples = make(values, read);
        read += bands;
      } else {
        samples = new Array(depth);
        for (let i = 0; i < depth; i++) {
          samples[i] = make(values, read);
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
    const anything = sources.some((source) => source.depth > 0);
    if (anything && updateOutputMetadata !== undefined) {
      updateOutputMetadata(scenes, inputMetadata, outputMetadata);
    }
    const { userData } = outputMetadata;
    return JSON.stringify(userData === undefined ? {} : userData);
  }

  const commands = { setup, start, pixels, report, finish };
  return (command, ...rest) => commands[command](...rest);
})()
