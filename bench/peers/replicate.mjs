// SPDX-License-Identifier: Apache-2.0
// A model that the user has, in halftone and in the peers at equal bytes: perplexity, divergence from the float run, speed and
// memory, beside published figures. README.md tells what is compared with what; bench/replicate starts it.
import {createHash} from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import {measureNative, nativeQuality, parsePrograms} from "./native.mjs";
import {floatsApart, summarizeQuality} from "./quality.mjs";
import {printResult} from "./replicate_table.mjs";
import {buildWarnings, halftone, here, measureHalftone, measurePeer, note, optionName, parseOptions, parseTypes, peerVersion, prepareType, program,
        runPeer, spread} from "./shared.mjs";
import {windowsOf, writeSuite} from "./windows.mjs";

const usage = `usage: bench/replicate MODEL TEXT [--option VALUE ...]
MODEL  a model folder; TEXT  a text file it was not trained on

  --types q8_0,q4_0     formats beside f16
  --windows 40          windows of TEXT that are scored; 0: all
  --window 512          tokens per window (at most the model's context)
  --rounds 5            of speed, all rows in turn
  --prompt-tokens 512   --decode-tokens 64   --threads (all cores)
  --no-speed            quality alone
  --llama-bench PATH    own builds of llama.cpp's kin, several with commas, NAME=PATH to name them
  --llama-perplexity PATH
  --published FILE      figures to show beside (bench/peers/published.json)
  --halftone PATH       the program (build/release/halftone)
  --work DIR            where artifacts and GGUF files are kept between runs: about four times the bytes of a 16-bit model
  --output FILE         the result (replicate.json)
  --allow-noisy         measure on a loaded machine too; the result says so`;

const defaults = {
  types: "q8_0,q4_0", windows: 40, window: 512, rounds: 5, promptTokens: 512, decodeTokens: 64, threads: os.availableParallelism(),
  noSpeed: false, llamaBench: "", llamaPerplexity: "", published: path.join(here, "published.json"), halftone: program,
  work: path.join(os.tmpdir(), "halftone-replicate"), output: "replicate.json", allowNoisy: false
};

function readOptions() {
  const given = process.argv.slice(2);
  if (given.includes("--help") || given.includes("-h")) {
    console.log(usage);
    process.exit(0);
  }
  const {options, words} = parseOptions(given, defaults);
  if (words.length !== 2) throw new Error(`expected a model folder and a text file, got ${words.length} words\n${usage}`);
  const [model, text] = words;
  for (const key of ["windows", "window", "rounds", "promptTokens", "decodeTokens", "threads"])
    if (!Number.isInteger(options[key]) || options[key] < (key === "windows" ? 0 : 1))
      throw new Error(`expected a whole number of at least ${key === "windows" ? 0 : 1} behind ${optionName(key)}, got ${options[key]}`);
  if (!fs.existsSync(options.halftone)) throw new Error(`${options.halftone}: expected the program; build it, or give --halftone PATH`);
  if (!fs.existsSync(path.join(model, "config.json"))) throw new Error(`${model}: expected a model folder with config.json, got none`);
  if (!fs.statSync(text, {throwIfNoEntry: false})?.isFile()) throw new Error(`${text}: expected a text file, got none`);
  if (!fs.existsSync(path.dirname(path.resolve(options.output)))) throw new Error(`${options.output}: expected a folder to write to, got none`);
  const types = ["f16", ...parseTypes(options.types).filter((type) => type !== "f16")];
  return {...options, model, text: path.resolve(text), types,
          benches: parsePrograms(options.llamaBench, "--llama-bench"), perplexities: parsePrograms(options.llamaPerplexity, "--llama-perplexity")};
}

// What an error says, without the program's name in front and what it was called with.
const reason = (error) => (error.stderr?.trim() || error.message).split("\n").filter((line) => line !== "").at(-1).replace(/^[\w.]+: /, "");

// Files in the work folder are another model's when anything of the model folder changed.
function nameOf(model) {
  const folder = fs.realpathSync(model), hash = createHash("sha256").update(folder);
  for (const file of fs.readdirSync(folder).sort()) {
    const {size, mtimeMs} = fs.statSync(path.join(folder, file));
    hash.update(`\n${file} ${size} ${mtimeMs}`);
  }
  return `${path.basename(folder)}-${hash.digest("hex").slice(0, 8)}`;
}

async function prepare(options) {
  fs.mkdirSync(options.work, {recursive: true});
  const name = nameOf(options.model), models = {};
  for (const type of options.types) {
    try {
      const model = await prepareType(options, options.model, name, type);
      const {weights} = JSON.parse(await halftone(options, "inspect", model.artifact, "--json", "-")).results;
      models[type] = {...model, artifact_weight_bytes: weights.bytes};
    } catch (error) {
      if (type === "f16") throw error; // nothing to compare with
      models[type] = {not_run: reason(error)};
    }
  }
  return models;
}

// One row per runtime and format: how to measure it, and what became of it.
function makeRows(options, models) {
  const rows = [], absent = !fs.existsSync(path.join(here, "node_modules/node-llama-cpp"));
  const add = (runtime, type, measure, more = {}) =>
    rows.push({runtime, type, ...(models[type].not_run ? {not_run: models[type].not_run} : {measure}), ...more});
  for (const type of options.types) {
    add("halftone", type, () => measureHalftone(options, models[type].artifact), {activations: type === "f16" ? "exact" : "int8"});
    if (type !== "f16") add("halftone, exact", type, () => measureHalftone(options, models[type].artifact, "exact"), {activations: "exact"});
    add("llama.cpp", type, () => measurePeer(options, models[type].gguf),
        absent ? {not_run: "node-llama-cpp is not installed: (cd bench/peers && npm install)"} : {});
    for (const {name, file} of options.benches) add(name, type, () => measureNative(options, file, models[type].gguf), {native: true});
  }
  return rows;
}

function absentRows(options) {
  const system = `${process.platform} ${process.arch}`, apple = system === "darwin arm64";
  const given = [...options.benches, ...options.perplexities].map(({name}) => name).join(" ");
  return [
    {runtime: "mlx-lm", not_run: apple ? "this kit does not drive Python" : `MLX is made for Apple silicon, this is ${system}`},
    {runtime: "onnxruntime-node", not_run: "halftone writes no ONNX file of the same codes and scales, so bytes would not be equal"},
    ...(/ik/.test(given) ? [] : [{runtime: "ik_llama.cpp", not_run: "no prebuilt package; build it and give --llama-bench ik_llama.cpp=PATH"}]),
    ...(given !== "" ? [] : [{runtime: "llama.cpp built here", not_run: "give --llama-bench PATH, --llama-perplexity PATH"}])
  ];
}

async function validate(options, suite, reference, candidate, activations) {
  const samples = path.join(options.work, "samples.jsonl");
  await halftone(options, "validate", reference, candidate, "--suite", suite, "--samples", samples, "--activations", activations,
                 "--threads", `${options.threads}`, "--json", "-");
  return fs.readFileSync(samples, "utf8").trim().split("\n").map((line) => {
    const {id, tokens, kl, same_top, reference_log_probability: float, candidate_log_probability: found} = JSON.parse(line);
    return {id, tokens, kl, same_top, float, candidate: found};
  });
}

async function measureQuality(options, rows, models, size, result) {
  const suite = writeSuite(options, size), ours = rows.filter((row) => row.activations && !row.not_run);
  const floats = ours.filter(({type}) => type === "f16"), candidates = ours.filter(({type}) => type !== "f16");
  let float;
  for (const row of candidates.length > 0 ? candidates : floats) {
    note(`quality: ${row.runtime} ${row.type}`);
    const samples = await validate(options, suite, models.f16.artifact, models[row.type].artifact, row.activations);
    float ??= samples;
    row.quality = summarizeQuality(samples);
  }
  for (const row of floats) row.quality = summarizeQuality(float.map((one) => ({tokens: one.tokens, candidate: one.float})));
  await measurePeerQuality(options, rows, models, size, float, result);
  for (const {name, file} of options.perplexities) {
    note(`quality: ${name}`);
    const ggufs = Object.fromEntries(options.types.filter((type) => !models[type].not_run).map((type) => [type, models[type].gguf]));
    const row = (type) => rows.find((one) => one.runtime === name && one.type === type) ?? (rows.push({runtime: name, type, native: true}), rows.at(-1));
    try {
      for (const [type, quality] of Object.entries(await nativeQuality(options, file, ggufs, size))) row(type).quality = quality;
    } catch (error) {
      for (const type of Object.keys(ggufs)) row(type).quality_not_run = reason(error);
    }
  }
}

async function measurePeerQuality(options, rows, models, size, float, result) {
  const theirs = rows.filter((row) => row.runtime === "llama.cpp" && !row.not_run);
  if (theirs.length === 0) return;
  const file = path.join(options.work, "windows.json");
  try {
    const windows = await windowsOf(options, options.model, size, float);
    fs.writeFileSync(file, JSON.stringify(windows));
    note(`quality: llama.cpp, ${windows.length} windows`);
    const settings = {files: theirs.map(({type}) => models[type].gguf), windows: file, threads: options.threads};
    const found = await runPeer("llama_quality.mjs", [JSON.stringify(settings)], {progress: true});
    const base = found.files[models.f16.gguf];
    for (const row of theirs) {
      const samples = found.files[models[row.type].gguf].map(({log_probability: candidate, ...one}, i) => (
        {...one, candidate, float: base[i].log_probability}));
      row.quality = summarizeQuality(samples);
      if (found.compared_tokens < found.vocabulary) row.quality.kl_compared_tokens = found.compared_tokens;
      if (row.type === "f16") result.floats_apart = floatsApart(float, samples);
    }
  } catch (error) {
    for (const row of theirs) row.quality_not_run = reason(error);
  }
}

// All rows in turn, another one first in each round: what follows a warm core or a neighbour's load hits all of them.
async function measureSpeed(options, rows, result) {
  const active = rows.filter((row) => row.measure && !row.not_run);
  for (const row of active) row.rounds = [];
  for (let round = 0; round < options.rounds; ++round)
    for (let i = 0; i < active.length; ++i) {
      const row = active[(i + round) % active.length];
      if (row.speed_not_run) continue;
      note(`speed, round ${round + 1} of ${options.rounds}: ${row.runtime} ${row.type}`);
      try {
        row.rounds.push(await row.measure());
      } catch (error) {
        row.speed_not_run = reason(error);
      }
    }
  for (const row of active.filter((one) => !one.speed_not_run)) {
    row.speed = {};
    for (const key of ["prefill_tokens_per_second", "decode_tokens_per_second", "load_seconds", "private_bytes"])
      if (row.rounds.every((one) => one[key] != null)) row.speed[key] = spread(row.rounds.map((one) => one[key]));
    for (const text of row.rounds.flatMap((one) => one.warnings ?? [])) if (!result.warnings.includes(text)) result.warnings.push(text);
  }
  const peer = active.find((row) => row.runtime === "llama.cpp")?.rounds[0];
  if (peer === undefined) return;
  result.peer = {name: "node-llama-cpp", version: peerVersion(), release: peer.release, build: peer.build, system: peer.system};
  result.warnings.push(...buildWarnings(peer.system));
}

function publishedFigures(options) {
  const folder = path.basename(fs.realpathSync(options.model));
  let figures;
  try {
    figures = JSON.parse(fs.readFileSync(options.published, "utf8"));
  } catch (error) {
    throw new Error(`${options.published}: expected a JSON file of figures: ${error.message}`);
  }
  const keys = ["model", "what", "value", "format", "text", "source"];
  for (const [i, figure] of figures.entries())
    for (const key of keys)
      if (typeof figure[key] !== "string") throw new Error(`${options.published}: figure ${i + 1}: expected texts ${keys.join(", ")}, got no ${key}`);
  return figures.map((figure) => ({...figure, same_model: typeof figure.match === "string" && new RegExp(figure.match, "i").test(folder)}));
}

async function main() {
  const options = readOptions(), published = publishedFigures(options);
  const {context_tokens: context} = JSON.parse(await halftone(options, "inspect", options.model, "--json", "-")).results;
  const size = Math.min(options.window, context);
  options.decodeTokens = Math.min(options.decodeTokens, context >> 1);
  options.promptTokens = Math.min(options.promptTokens, context - options.decodeTokens);
  const models = await prepare(options), rows = makeRows(options, models);
  const {benches, perplexities, ...settings} = options;
  const result = {command: ["bench/replicate", ...process.argv.slice(2)].join(" "), date: new Date().toISOString(),
                  machine: {cpu: os.cpus()[0]?.model.trim(), cores: os.availableParallelism(), memory_bytes: os.totalmem()},
                  settings: {...settings, window: size}, models, warnings: []};
  await measureQuality(options, rows, models, size, result);
  for (const [type, model] of Object.entries(models))
    if (model.bit_exact === false) result.warnings.push(`${type}: the two files do not hold the same numbers: ${model.changed.slice(0, 3).join("; ")}`);
  rows.sort((a, b) => options.types.indexOf(a.type) - options.types.indexOf(b.type));
  result.published = published;
  const write = () => {
    result.rows = [...rows.map(({measure, ...row}) => row), ...absentRows(options)];
    fs.writeFileSync(options.output, JSON.stringify(result, null, 1) + "\n");
  };
  write(); // speed takes long: what is measured stays when it is interrupted
  if (!options.noSpeed) await measureSpeed(options, rows, result);
  write();
  printResult(result);
  console.log(`wrote ${options.output}`);
}

main().catch((error) => {
  note(`replicate: ${(error.stderr ?? "").trim() || error.message}`);
  process.exit(1);
});
