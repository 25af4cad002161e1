// SPDX-License-Identifier: Apache-2.0
// What bench.mjs and replicate.mjs share: options, artifacts and GGUF files of the same numbers, and one measurement of each side.
import {execFile} from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import {fileURLToPath} from "node:url";
import {promisify} from "node:util";

const run = promisify(execFile);
export const here = path.dirname(fileURLToPath(import.meta.url));
export const program = path.join(here, "../../build/release/halftone");

// The recipe of `halftone quantize` whose integers a GGUF type holds unchanged.
export const recipes = {q4_0: "int4", q8_0: "int8-block", f16: "fp16"};

// Processor flags of Linux and the names in llama.cpp's own report of its build.
const features = {avx2: "AVX2", fma: "FMA", f16c: "F16C", avx512f: "AVX512", avx512_vnni: "AVX512_VNNI",
                  avx512_bf16: "AVX512_BF16", avx_vnni: "AVX_VNNI", amx_int8: "AMX_INT8", asimddp: "DOTPROD",
                  i8mm: "MATMUL_INT8", sve: "SVE"};

export const note = (text) => process.stderr.write(`${text}\n`);

export const optionName = (key) => "--" + key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

// --like-this VALUE for every key of `defaults`; a default of false makes a flag. Words that are not options come back in `words`.
export function parseOptions(given, defaults) {
  const options = {...defaults}, words = [];
  const names = Object.keys(defaults).map(optionName);
  for (let i = 0; i < given.length; ++i) {
    if (!given[i].startsWith("--")) {
      words.push(given[i]);
      continue;
    }
    const key = Object.keys(defaults)[names.indexOf(given[i])];
    if (key === undefined) throw new Error(`expected options ${names.join(", ")}, got ${given[i]}`);
    if (typeof defaults[key] === "boolean") {
      options[key] = true;
      continue;
    }
    const value = given[++i];
    if (value === undefined) throw new Error(`expected a value behind ${given[i - 1]}, got the end of the command`);
    options[key] = typeof defaults[key] === "number" ? Number(value) : value;
    if (Number.isNaN(options[key])) throw new Error(`expected a number behind ${given[i - 1]}, got ${value}`);
  }
  return {options, words};
}

export function parseTypes(text) {
  const types = text.split(",");
  for (const type of types)
    if (!(type in recipes)) throw new Error(`expected types of ${Object.keys(recipes).join(", ")}, got ${type}`);
  return types;
}

export async function halftone(options, ...words) {
  const {stdout} = await run(options.halftone, [...words, "--quiet"], {maxBuffer: 1 << 28});
  return stdout;
}

// Artifact and GGUF file of the artifact's own codes and scales; only what is missing is quantized.
export async function prepareType(options, source, name, type, exportWords = []) {
  const artifact = path.join(options.work, `${name}-${recipes[type]}.ht`);
  const gguf = path.join(options.work, `${name}-${type}.gguf`);
  if (!fs.existsSync(artifact)) {
    note(`quantize ${name} with ${recipes[type]}`);
    await halftone(options, "quantize", source, "-r", recipes[type], "-o", artifact);
  }
  note(`export ${name} as ${type}`);
  const report = JSON.parse(await halftone(options, "export", artifact, "--to", "gguf", "--type", type, "-o", gguf,
                                           "--replace", "--json", "-", ...exportWords)).results;
  const changed = report.tensors.filter((tensor) => tensor.fidelity !== "bit-exact");
  return {artifact, gguf, gguf_bytes: report.file_bytes, weight_bytes: report.tensors.reduce((sum, {bytes}) => sum + bytes, 0),
          tensors: report.tensors.length, bit_exact: changed.length === 0,
          changed: changed.map((tensor) => `${tensor.name}: ${tensor.fidelity}`)};
}

export async function measureHalftone(options, artifact, activations = "int8") {
  const words = ["bench", artifact, "--prompt-tokens", `${options.promptTokens}`, "--decode-tokens", `${options.decodeTokens}`,
                 "--rounds", "1", "--threads", `${options.threads}`, "--activations", activations, "--json", "-"];
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

// Runs one of this folder's scripts that drive the binding; the last line it prints is its result. `progress`: show what it says meanwhile.
export async function runPeer(script, words, {progress = false} = {}) {
  // One worker of node's pool: each of several would bring its own threads of llama.cpp, which wait in loops for each other's
  // cores; a step of almost nothing took 12 ms instead of 1.
  const env = {...process.env, UV_THREADPOOL_SIZE: "1"};
  const running = run(process.execPath, [path.join(here, script), ...words], {maxBuffer: 1 << 28, env});
  if (progress) running.child.stderr.pipe(process.stderr);
  return JSON.parse((await running).stdout.trim().split("\n").at(-1));
}

export async function measurePeer(options, gguf) {
  const settings = {prompt_tokens: options.promptTokens, decode_tokens: options.decodeTokens, threads: options.threads, seed: 1};
  const result = await runPeer("llama_cpp.mjs", [gguf, JSON.stringify(settings)]);
  return {...result, private_bytes: result.memory?.private_bytes ?? null, mapped_bytes: result.memory?.mapped_bytes ?? null};
}

export const peerVersion = () => JSON.parse(fs.readFileSync(path.join(here, "package.json"))).dependencies["node-llama-cpp"];

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

export function buildWarnings(system) {
  const missing = missingFeatures(system);
  if (missing === null) return ["what this processor can do is unknown here, so the peer's build was not checked"];
  if (missing.length === 0) return [];
  return [`the peer's prebuilt binary does not use ${missing.join(", ")}, which this processor has: a peer built here could be faster`];
}

export function deviation(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b), middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return {median, low: sorted[0], high: sorted.at(-1)};
}
