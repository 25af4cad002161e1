// SPDX-License-Identifier: Apache-2.0
// halftone beside llama.cpp (node-llama-cpp) on the same codes and scales, process by process in turn; README.md tells what
// is compared with what. Options are those of `defaults`, --like-this VALUE.
import {execFile} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {fileURLToPath} from "node:url";
import {promisify} from "node:util";

const run = promisify(execFile);
const here = path.dirname(fileURLToPath(import.meta.url));

const defaults = {
  shape: "llama-3.2-1b", // of `halftone synth`
  model: "",             // a model folder instead of random weights
  types: "q4_0,q8_0",    // f16, q8_0, q4_0
  rounds: 5,
  promptTokens: 512,
  decodeTokens: 64,
  threads: os.availableParallelism(),
  halftone: path.join(here, "../../build/release/halftone"),
  work: path.join(os.tmpdir(), "halftone-peers"), // models, several GB
  output: path.join(here, "result.json"),
  allowNoisy: false      // measure on a loaded machine too, and say so
};

// The recipe of `halftone quantize` whose integers a GGUF type holds unchanged.
const recipes = {q4_0: "int4", q8_0: "int8-block", f16: "fp16"};

// Processor flags of Linux and the names in llama.cpp's own report of its build.
const features = {avx2: "AVX2", fma: "FMA", f16c: "F16C", avx512f: "AVX512", avx512_vnni: "AVX512_VNNI",
                  avx512_bf16: "AVX512_BF16", avx_vnni: "AVX_VNNI", amx_int8: "AMX_INT8", asimddp: "DOTPROD",
                  i8mm: "MATMUL_INT8", sve: "SVE"};

function parseOptions(words) {
  const options = {...defaults};
  for (let i = 0; i < words.length; ++i) {
    const key = words[i].replace(/^--/, "").replace(/-(\w)/g, (_, letter) => letter.toUpperCase());
    if (!words[i].startsWith("--") || !(key in defaults))
      throw new Error(`expected options ${Object.keys(defaults).join(", ")} as --like-this VALUE, got ${words[i]}`);
    if (typeof defaults[key] === "boolean") options[key] = true;
    else options[key] = typeof defaults[key] === "number" ? Number(words[++i]) : words[++i];
    if (options[key] === undefined || Number.isNaN(options[key])) throw new Error(`expected a value behind ${words[i - 1] ?? key}`);
  }
  options.types = options.types.split(",");
  for (const type of options.types)
    if (!(type in recipes)) throw new Error(`expected types of ${Object.keys(recipes).join(", ")}, got ${type}`);
  return options;
}

const note = (text) => process.stderr.write(`${text}\n`);

async function halftone(options, ...words) {
  const {stdout} = await run(options.halftone, [...words, "--quiet"], {maxBuffer: 1 << 28});
  return stdout;
}

// Random weights of a real shape have no tokenizer; node-llama-cpp opens nothing without one.
const standIn = (options) => (options.model === "" ? ["--tokenizer", "stand-in"] : []);

// Makes what is missing: float folder, artifact, GGUF of the artifact's own codes and scales.
async function prepare(options) {
  fs.mkdirSync(options.work, {recursive: true});
  const name = options.model === "" ? options.shape : path.basename(path.resolve(options.model));
  const source = options.model === "" ? path.join(options.work, name) : options.model;
  if (!fs.existsSync(source)) {
    note(`synth ${name}`);
    await halftone(options, "synth", options.shape, "-o", source);
  }
  const models = {};
  for (const type of options.types) {
    const artifact = path.join(options.work, `${name}-${recipes[type]}.ht`);
    const gguf = path.join(options.work, `${name}-${type}.gguf`);
    if (!fs.existsSync(artifact)) {
      note(`quantize ${name} with ${recipes[type]}`);
      await halftone(options, "quantize", source, "-r", recipes[type], "-o", artifact);
    }
    note(`export ${name} as ${type}`);
    const report = JSON.parse(await halftone(options, "export", artifact, "--to", "gguf", "--type", type, "-o", gguf,
                                             "--replace", "--json", "-", ...standIn(options))).results;
    const changed = report.tensors.filter((tensor) => tensor.fidelity !== "bit-exact");
    models[type] = {artifact, gguf, gguf_bytes: report.file_bytes, tensors: report.tensors.length,
                    bit_exact: changed.length === 0, changed: changed.map((tensor) => `${tensor.name}: ${tensor.fidelity}`)};
  }
  return models;
}

async function measureHalftone(options, artifact) {
  const words = ["bench", artifact, "--prompt-tokens", `${options.promptTokens}`, "--decode-tokens", `${options.decodeTokens}`,
                 "--rounds", "1", "--threads", `${options.threads}`, "--json", "-"];
  if (options.allowNoisy) words.push("--allow-noisy");
  const {settings, results} = JSON.parse(await halftone(options, ...words));
  const [model] = results.models;
  return {load_seconds: model.load_seconds, first_token_seconds: model.first_token_seconds.median,
          prefill_tokens_per_second: model.prefill.tokens_per_second.median,
          decode_tokens_per_second: model.decode.tokens_per_second.median,
          private_bytes: model.memory.peak_private_bytes, mapped_bytes: model.memory.peak_mapped_bytes,
          read_bandwidth_bytes_per_second: model.read_bandwidth_bytes_per_second, isa: settings.isa,
          // One round of many: what it says of its own interval is not about ours.
          activations: model.activations, warnings: results.warnings.filter((text) => !text.includes("interval of a median"))};
}

async function measurePeer(options, gguf) {
  const settings = {prompt_tokens: options.promptTokens, decode_tokens: options.decodeTokens, threads: options.threads, seed: 1};
  // One worker of node's pool: each of several would bring its own threads of llama.cpp, which wait in loops for each other's
  // cores; a step of almost nothing took 12 ms instead of 1.
  const env = {...process.env, UV_THREADPOOL_SIZE: "1"};
  const {stdout} = await run(process.execPath, [path.join(here, "llama_cpp.mjs"), gguf, JSON.stringify(settings)],
                             {maxBuffer: 1 << 26, env});
  const result = JSON.parse(stdout.trim().split("\n").at(-1));
  return {...result, private_bytes: result.memory?.private_bytes ?? null, mapped_bytes: result.memory?.mapped_bytes ?? null};
}

// A step of a model that computes next to nothing: JavaScript, the hop to another thread and back, llama.cpp's own graph.
// An upper bound of what the way through node costs.
async function stepOverhead(options) {
  const source = path.join(options.work, "tiny"), gguf = path.join(options.work, "tiny-f16.gguf");
  if (!fs.existsSync(source)) await halftone(options, "synth", "tiny", "-o", source);
  await halftone(options, "export", source, "--to", "gguf", "--type", "f16", "-o", gguf, "--replace");
  const result = await measurePeer({...options, promptTokens: 16, decodeTokens: 64}, gguf);
  return result.decode_step_seconds;
}

// What the processor can do and the peer's build cannot.
function missingFeatures(system) {
  let flags;
  try {
    flags = new Set(/^(?:flags|Features)\s*:\s*(.*)$/m.exec(fs.readFileSync("/proc/cpuinfo", "utf8"))?.[1].split(" "));
  } catch {
    return null; // not Linux: nothing to compare with
  }
  const has = (name) => new RegExp(`\\b${name} = 1\\b`).test(system);
  // The 256-bit form is of no use to a build that has the 512-bit one.
  const better = (flag) => flag === "avx_vnni" && has(features.avx512_vnni);
  return Object.entries(features).filter(([flag, name]) => flags.has(flag) && !has(name) && !better(flag)).map(([, name]) => name);
}

function spread(values) {
  const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return {median, low: sorted[0], high: sorted.at(-1)};
}

const figures = {
  prefill_tokens_per_second: ["prefill tok/s", 0],
  decode_tokens_per_second: ["decode tok/s", 1],
  load_seconds: ["load s", 3],
  load_to_first_token_seconds: ["load to first token s", 2],
  private_bytes: ["private MB", 0]
};

function summarize(rounds) {
  const summary = {};
  for (const key of Object.keys(figures)) {
    const value = (one) => (key === "load_to_first_token_seconds" ? one.load_seconds + one.first_token_seconds : one[key]);
    if (rounds.some(({halftone: ours, peer}) => value(ours) == null || value(peer) == null)) continue;
    summary[key] = {halftone: spread(rounds.map((round) => value(round.halftone))),
                    peer: spread(rounds.map((round) => value(round.peer))),
                    ratio: spread(rounds.map((round) => value(round.halftone) / value(round.peer)))};
  }
  return summary;
}

function print(type, summary) {
  const show = ({median, low, high}, decimals, scale = 1) =>
    `${(median * scale).toFixed(decimals)} [${(low * scale).toFixed(decimals)} - ${(high * scale).toFixed(decimals)}]`;
  console.log(`\n${type.padEnd(23)}${"halftone".padStart(24)}${"llama.cpp".padStart(24)}${"halftone / llama.cpp".padStart(24)}`);
  for (const [key, [label, decimals]] of Object.entries(figures)) {
    if (!(key in summary)) continue;
    const {halftone: ours, peer, ratio} = summary[key], scale = key === "private_bytes" ? 1e-6 : 1;
    console.log(label.padEnd(23) + show(ours, decimals, scale).padStart(24) + show(peer, decimals, scale).padStart(24) +
                show(ratio, 2).padStart(24));
  }
}

async function main() {
  const options = parseOptions(process.argv.slice(2));
  if (!fs.existsSync(options.halftone)) throw new Error(`${options.halftone}: expected the program; build it, or give --halftone PATH`);
  const models = await prepare(options);
  const result = {command: ["node", "bench.mjs", ...process.argv.slice(2)].join(" "), date: new Date().toISOString(),
                  machine: {cpu: os.cpus()[0]?.model.trim(), cores: os.availableParallelism(), memory_bytes: os.totalmem()},
                  settings: {...options, types: options.types}, models, types: {}, warnings: []};
  result.peer_empty_step_seconds = await stepOverhead(options);
  for (const type of options.types) result.types[type] = {rounds: []};
  for (let round = 0; round < options.rounds; ++round)
    for (const type of options.types) {
      note(`round ${round + 1} of ${options.rounds}: ${type}`);
      const ours = () => measureHalftone(options, models[type].artifact), theirs = () => measurePeer(options, models[type].gguf);
      // Who is first changes every round, so that what follows a warm file or a warm core hits both.
      const entry = {};
      if (round % 2 === 0) entry.halftone = await ours();
      entry.peer = await theirs();
      if (round % 2 === 1) entry.halftone = await ours();
      result.types[type].rounds.push(entry);
    }
  const {peer, halftone: ours} = result.types[options.types[0]].rounds[0];
  result.peer = {name: "node-llama-cpp", version: JSON.parse(fs.readFileSync(path.join(here, "package.json"))).dependencies["node-llama-cpp"],
                 release: peer.release, build: peer.build, system: peer.system};
  const missing = missingFeatures(peer.system);
  if (missing === null) result.warnings.push("what this processor can do is unknown here, so the peer's build was not checked");
  else if (missing.length > 0)
    result.warnings.push(`the peer's prebuilt binary does not use ${missing.join(", ")}, which this processor has: a peer built here could be faster`);
  for (const type of options.types) {
    if (!models[type].bit_exact)
      result.warnings.push(`${type}: the two files do not hold the same numbers: ${models[type].changed.slice(0, 3).join("; ")}`);
    result.types[type].summary = summarize(result.types[type].rounds);
    for (const {halftone: one} of result.types[type].rounds) result.warnings.push(...one.warnings.filter((text) => !result.warnings.includes(text)));
  }
  fs.writeFileSync(options.output, JSON.stringify(result, null, 1) + "\n");

  console.log(`${result.machine.cpu}, ${options.threads} threads; halftone ${ours.isa}, ${ours.activations} activations; llama.cpp ${peer.release} (node-llama-cpp ${result.peer.version}, ${peer.build})`);
  console.log(`${options.rounds} rounds in turn, prompt ${options.promptTokens}, ${options.decodeTokens} decoded; median [lowest - highest]; ratios are of one round each`);
  for (const type of options.types) print(type, result.types[type].summary);
  console.log(`\na step of a model of almost nothing through node: ${(result.peer_empty_step_seconds * 1e3).toFixed(2)} ms, part of each decoded token of llama.cpp's column`);
  for (const warning of result.warnings) console.log(`warning: ${warning}`);
  console.log(`wrote ${options.output}`);
}

main().catch((error) => {
  note(`bench.mjs: ${(error.stderr ?? "") || error.message}`);
  process.exit(1);
});
