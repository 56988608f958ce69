// Runs the functions of the evalscript. Evaluates to host(command, ...json), which answers JSON.
(function () {
  'use strict';

  const lookUp = globalThis.eval; // indirect: sees the script's global let and const as well
  const { parse, stringify } = JSON;
  const NativeDate = Date;
  let sources; // [{key, mosaicking, scenes: [{date, tile}]}], each with `kept`, the scenes left
  let outputs; // [{id, bands}] as declared, then as updateOutput left them
  let fusion;
  let customData;
  let outputMetadata;

  function theFunction(name) {
    const found = lookUp(`typeof ${name} === 'undefined' ? undefined : ${name}`);
    return typeof found === 'function' ? found : undefined;
  }

  function refuse(message) {
    const error = new Error(message);
    error.name = 'Refusal';
    throw error;
  }

  // What JSON cannot say is wrapped in an object with this only key.
  const WRAP = '\u0000';
  const spell = (key, value) => {
    if (typeof value === 'number' && !isFinite(value)) return { [WRAP]: String(value) };
    if (typeof value === 'bigint') return String(value);
    return ['undefined', 'function', 'symbol'].includes(typeof value) ? { [WRAP]: 'undefined' } : value;
  };
  const revive = (key, value) => (value && value[WRAP] !== undefined ? Number(value[WRAP]) : value);
  const perSource = (make) => (
    fusion ? Object.fromEntries(sources.map((source) => [source.key, make(source)])) : make(sources[0])
  );

  // scenes.orbits or scenes.tiles, and at the same time the deprecated array of {date}.
  function scenesOf({ mosaicking, kept, scenes }) {
    if (mosaicking === 'SIMPLE') return {};
    const list = kept.map((i) => ({ date: new NativeDate(scenes[i].date), __idx: i }));
    const entry = (i) => {
      const { date, tile } = scenes[i];
      const day = date.slice(0, 10);
      if (mosaicking === 'TILE') return { ...tile, date, __idx: i };
      return { dateFrom: `${day}T00:00:00Z`, dateTo: `${day}T23:59:59Z`, tiles: [{ ...tile, date }], __idx: i };
    };
    const value = kept.map(entry);
    const name = mosaicking === 'ORBIT' ? 'orbits' : 'tiles';
    return Object.defineProperty(list, name, { value, writable: true });
  }

  function left(result, before) {
    const scenes = result && result.scenes;
    const list = scenes && (scenes.orbits || scenes.tiles || scenes);
    const indices = Array.isArray(list) ? list.map((scene) => scene && scene.__idx) : [undefined];
    if (!indices.every((i) => before.includes(i))) refuse('preProcessScenes() does not return the scenes it was given');
    return indices;
  }

  function preProcess({ from, to }) {
    const run = theFunction('preProcessScenes');
    if (!run || sources.every(({ kept }) => kept.length === 0)) return;
    const result = run(perSource((source) => {
      const collection = { scenes: scenesOf(source) };
      if (source.mosaicking === 'ORBIT') Object.assign(collection, { from: new NativeDate(from), to: new NativeDate(to) });
      return collection;
    }));
    for (const source of sources) {
      if (source.kept.length) source.kept = left(fusion ? result && result[source.key] : result, source.kept);
    }
  }

  function updateBands() {
    const run = theFunction('updateOutput');
    if (!run) return;
    const object = Object.fromEntries(outputs.map(({ id, bands }) => [id, { bands }]));
    run(object, perSource(({ kept, scenes }) => ({ scenes: kept.map((i) => ({ date: new NativeDate(scenes[i].date) })) })));
    for (const output of outputs) {
      output.bands = object[output.id] && object[output.id].bands;
      if (!Number.isInteger(output.bands) || output.bands < 0) {
        refuse(`updateOutput() sets the bands of output ${output.id} to ${output.bands}, which is not a number of bands`);
      }
    }
  }

  function start(details) {
    sources = details.sources.map((source) => ({ ...source, kept: source.scenes.map((_, i) => i) }));
    outputs = details.outputs;
    fusion = sources.length > 1;
    customData = {};
    outputMetadata = {};
    preProcess(details);
    updateBands();
    return { outputs, kept: sources.map(({ kept }) => kept) };
  }

  // Notes which of a sample's bands are read without being there.
  function watched(sample, missing) {
    return new Proxy(sample, {
      get(target, name) {
        if (typeof name === 'string' && !(name in target)) missing.add(name);
        return target[name];
      },
    });
  }

  // given: for each source its sample (SIMPLE, not in data fusion) or the samples of all its scenes
  function pixel(given) {
    const missing = new Set();
    const make = (source) => {
      const samples = given[sources.indexOf(source)];
      if (!Array.isArray(samples)) return watched(samples, missing);
      const kept = source.mosaicking === 'SIMPLE' ? samples : source.kept.map((i) => samples[i]);
      return kept.map((sample) => watched(sample, missing));
    };
    const scenes = perSource((source) => (fusion ? { scenes: scenesOf(source) } : scenesOf(source)));
    const inputMetadata = { serviceVersion: 'preflight', normalizationFactor: 0.0001 };
    const result = theFunction('evaluatePixel')(perSource(make), scenes, inputMetadata, customData, outputMetadata);
    const form = (value) => {
      if (Array.isArray(value)) return { form: 'array', values: value.map(scalar) };
      if (ArrayBuffer.isView(value)) return { form: 'array', values: Array.from(value) };
      return { form: value === null ? 'null' : typeof value };
    };
    const scalar = (value) => (typeof value === 'object' && value !== null ? 'object' : value);
    const answer = form(result);
    if (answer.form === 'object') {
      answer.outputs = Object.fromEntries(Object.keys(result).map((id) => [id, form(result[id])]));
    }
    return { answer, missing: [...missing] };
  }

  function finish() {
    const run = theFunction('updateOutputMetadata');
    if (run) run(perSource(scenesOf), { serviceVersion: 'preflight', normalizationFactor: 0.0001 }, outputMetadata);
    return { userData: outputMetadata.userData };
  }

  const commands = {
    functions: (names) => names.filter(theFunction),
    setup: () => theFunction('setup')(),
    start, pixel, finish,
  };
  return (command, ...json) => {
    const answer = commands[command](...json.map((text) => parse(text, revive)));
    return stringify(answer === undefined ? null : answer, spell);
  };
})()
