// SPDX-License-Identifier: Apache-2.0
// Does llama.cpp compute what halftone computes, on the files that halftone exports? For a tiny random model of every family:
//   logits   after 20 and 48 tokens, f32 weights, against tests/golden (which halftone's own tests are held to): cosine >= 0.9999
//   tokens   the greedy continuation of one prompt by 64 tokens (fewer where the model ends it), f16 weights: the same ids, but for ties
//   node parity.mjs [--halftone PATH] [--only SHAPE]      exit status 1 when a family differs that should not
//   node parity.mjs --golden                              writes tests/golden/llama_cpp_*.json: what llama.cpp computes on the f16 files, which
//                                                         halftone's tests compare with where no llama.cpp is (tests/llama_cpp_test.cc)
// Needs `npm install` in this folder and a built halftone; takes a minute. What llama.cpp is known to do otherwise is a row that says so.
import {execFileSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {fileURLToPath} from "node:url";
import {parseArgs} from "node:util";

import {deviation, peerVersion} from "./shared.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, "..", "..");
const {values: options} = parseArgs({options: {halftone: {type: "string", default: path.join(root, "build/release/halftone")}, only: {type: "string"},
                                              golden: {type: "boolean", default: false}}});
const tie = 0.01; // of the logits' standard deviation
const prompt = "A halftone print renders a photograph with a few discrete dots.";

// `tokens`: of text that both are asked for, prompt included, where that is not all; `lengths`: of the golden runs that llama.cpp can match.
// `inside`: lengths for its own golden file instead; `beyond`: a length where llama.cpp is known to compute something else.
const families = [
  {shape: "tiny", family: "llama"},
  {shape: "tiny-mistral", family: "mistral", lengths: [], inside: [8, 16], beyond: 48, prompt: "A dot", tokens: 16,
   note: "llama.cpp has no sliding window for it: compared inside the window of 16"},
  {shape: "tiny-qwen2", family: "qwen2"},
  {shape: "tiny-qwen3", family: "qwen3"},
  {shape: "tiny-phi", family: "phi-2"},
  {shape: "tiny-phi3", family: "phi-3", lengths: [48], inside: [33, 48], beyond: 20,
   note: "llama.cpp takes the long factors for its whole context (never less than 256 tokens): compared beyond the switch"},
  {shape: "tiny-phi3", family: "phi-3, short factors", lengths: [], inside: [20, 48], change: {original_max_position_embeddings: 512, max_position_embeddings: 1024}},
  {shape: "tiny-gemma", family: "gemma"},
  {shape: "tiny-gemma2", family: "gemma 2"},
  {shape: "tiny-gemma3", family: "gemma 3"},
];

const halftone = (...args) => execFileSync(options.halftone, args, {encoding: "utf8", stdio: ["ignore", "pipe", "pipe"]});
const peer = (file, settings) => JSON.parse(execFileSync(process.execPath, [path.join(here, "llama_cpp.mjs"), file, JSON.stringify(settings)],
                                                         {encoding: "utf8", stdio: ["ignore", "pipe", "pipe"]}));

function cosine(a, b) {
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / Math.sqrt(aa * bb);
}

// A folder and its GGUF file. Not named after the shape: llama.cpp looks for Phi-3's tokens in files whose model name says "phi3", and
// a stand-in tokenizer has none.
function exported(work, row, type) {
  const folder = path.join(work, `model-${type}`), file = `${folder}.gguf`;
  halftone("synth", row.shape, "-o", folder, "--type", type, "--replace");
  if (row.change) {
    const config = path.join(folder, "config.json");
    fs.writeFileSync(config, JSON.stringify({...JSON.parse(fs.readFileSync(config)), ...row.change}));
  }
  halftone("export", folder, "--to", "gguf", "-o", file, "--type", type, "--tokenizer", "stand-in", "--replace");
  return {folder, file};
}

function compareLogits(work, row) {
  const lengths = row.lengths ?? [20, 48];
  if (lengths.length === 0) return [];
  const golden = JSON.parse(fs.readFileSync(path.join(root, "tests/golden", `logits_${row.shape}.json`)));
  const {file} = exported(work, row, "f32");
  const found = peer(file, {prompt_ids: golden.tokens, logits_after: lengths, threads: 1});
  return lengths.map((length, i) => ({length, cosine: cosine(found.logits[i], golden.runs.find((run) => run.length === length).logits)}));
}

function compareTokens(work, row) {
  const {folder, file} = exported(work, row, "f16");
  const json = path.join(work, "run.json");
  halftone("run", folder, "-p", row.prompt ?? prompt, "--temperature", "0", "--max-tokens", "64", "--activations", "exact", "--json", json);
  const {prompt_tokens: ids, tokens} = JSON.parse(fs.readFileSync(json)).results;
  const count = row.tokens ? Math.min(tokens.length, row.tokens - ids.length) : tokens.length;
  const ties = [];
  let same = 0;
  while (same < count) {
    const text = [...ids, ...tokens.slice(0, same)];
    const found = peer(file, {prompt_ids: text, decode_tokens: count - same, threads: 1}).tokens;
    for (let i = 0; i < found.length && found[i] === tokens[same]; ++i) ++same;
    if (same === count) break;
    // Two tokens may be as likely as f16 keys and values can tell; llama.cpp goes on with halftone's.
    const before = [...ids, ...tokens.slice(0, same)];
    const [logits] = peer(file, {prompt_ids: before, logits_after: [before.length], threads: 1}).logits;
    const margin = (Math.max(...logits) - logits[tokens[same]]) / deviation(logits);
    if (margin > tie) break;
    ties.push(margin);
    ++same;
  }
  return {same, count, ties};
}

// llama.cpp's own continuation, which halftone is asked to follow token by token; `margins`: how clear each choice was, in deviations.
function writeGolden(work, row) {
  const {folder, file} = exported(work, row, "f16");
  const text = path.join(work, "prompt.txt");
  fs.writeFileSync(text, row.prompt ?? prompt);
  const prompt_ids = JSON.parse(halftone("inspect", folder, "--tokens", text, "--json", "-", "--quiet")).results.tokens;
  const {tokens: ids} = JSON.parse(fs.readFileSync(path.join(root, "tests/golden", `logits_${row.shape}.json`)));
  const lengths = [...(row.inside ?? [20, 48]), ...(row.beyond ? [row.beyond] : [])];
  const {logits} = peer(file, {prompt_ids: ids, logits_after: lengths, threads: 1});
  const {tokens, margins} = peer(file, {prompt_ids, decode_tokens: row.tokens ? row.tokens - prompt_ids.length : 64, margins: true, threads: 1});
  const name = `llama_cpp_${row.shape}${row.change ? "_changed" : ""}.json`;
  const short = (value, digits) => Number(value.toPrecision(digits));
  const runs = lengths.map((length, i) => ({length, same: length !== row.beyond, logits: logits[i].map((value) => short(value, 7))}));
  const fields = {about: `llama.cpp through node-llama-cpp ${peerVersion()} on the f16 export; ${row.note ?? "all of it is comparable"}`, shape: row.shape, change: row.change ?? {},
                  ids, prompt_ids, tokens, margins: margins.map((value) => short(value, 3))};
  const lines = Object.entries(fields).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  fs.writeFileSync(path.join(root, "tests/golden", name),
                   `{${lines.join(",\n")},\n"runs": [\n${runs.map((run) => `  ${JSON.stringify(run)}`).join(",\n")}\n]}\n`);
  console.log(`wrote tests/golden/${name}: ${tokens.length} tokens, ${margins.filter((value) => value < tie).length} of them ties`);
}

let differs = false;
const work = fs.mkdtempSync(path.join(os.tmpdir(), "halftone-parity-"));
for (const row of families) {
  if (options.only && options.only !== row.shape) continue;
  if (options.golden) {
    writeGolden(work, row);
    continue;
  }
  let line;
  try {
    const logits = compareLogits(work, row), tokens = compareTokens(work, row);
    const good = logits.every((run) => run.cosine >= 0.9999) && tokens.same === tokens.count;
    differs ||= !good;
    const cosines = logits.map((run) => `1 - ${(1 - run.cosine).toExponential(1)} after ${run.length}`).join(", ");
    const ties = tokens.ties.length > 0 ? ` (${tokens.ties.length} of them ties: at most ${(100 * Math.max(...tokens.ties)).toFixed(2)} % of the logits' deviation apart)` : "";
    line = `${good ? "same   " : "DIFFERS"} ${row.family}: ${tokens.same} of ${tokens.count} tokens${ties}${cosines ? `; cosine of logits ${cosines}` : ""}`;
  } catch (error) {
    differs = true;
    line = `FAILED  ${row.family}: ${error.stderr?.trim() || error.message}`;
  }
  console.log(line + (row.note ? `\n        (${row.note})` : ""));
}
fs.rmSync(work, {recursive: true});
process.exit(differs ? 1 : 0);
