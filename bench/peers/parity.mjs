// SPDX-License-Identifier: Apache-2.0
// Does llama.cpp compute what halftone computes, on the files that halftone exports? For a tiny random model of every family:
//   logits   after 20 and 48 tokens, f32 weights, against tests/golden (which halftone's own tests are held to): cosine >= 0.9999
//   tokens   the greedy continuation of one prompt by 64 tokens (fewer where the model ends it), f16 weights: the same ids, but for ties
//   node parity.mjs [--halftone PATH] [--only SHAPE]      exit status 1 when a family differs that should not
// Needs `npm ci` in this folder and a built halftone; takes a minute. What llama.cpp is known to do otherwise is a row that says so.
import {execFileSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {fileURLToPath} from "node:url";
import {parseArgs} from "node:util";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, "..", "..");
const {values: options} = parseArgs({options: {halftone: {type: "string", default: path.join(root, "build/release/halftone")}, only: {type: "string"}}});
const tie = 0.01; // of the logits' standard deviation
const prompt = "A halftone print renders a photograph with a few discrete dots.";

// `tokens`: of text that both are asked for, prompt included, where that is not all; `lengths`: of the golden runs that llama.cpp can match.
const families = [
  {shape: "tiny", family: "llama"},
  {shape: "tiny-mistral", family: "mistral", lengths: [], prompt: "A dot", tokens: 16,
   note: "llama.cpp has no sliding window for it: compared inside the window of 16"},
  {shape: "tiny-qwen2", family: "qwen2"},
  {shape: "tiny-qwen3", family: "qwen3"},
  {shape: "tiny-phi", family: "phi-2"},
  {shape: "tiny-phi3", family: "phi-3", lengths: [48],
   note: "llama.cpp takes the long factors for its whole context (never less than 256 tokens): compared beyond the switch"},
  {shape: "tiny-phi3", family: "phi-3, short factors", lengths: [], change: {original_max_position_embeddings: 512, max_position_embeddings: 1024}},
  {shape: "tiny-gemma", family: "gemma"},
  {shape: "tiny-gemma2", family: "gemma 2"},
  {shape: "tiny-gemma3", family: "gemma 3"},
];

const halftone = (...args) => execFileSync(options.halftone, args, {encoding: "utf8", stdio: ["ignore", "pipe", "pipe"]});
const peer = (file, settings) => JSON.parse(execFileSync(process.execPath, [path.join(here, "llama_cpp.mjs"), file, JSON.stringify(settings)],
                                                         {encoding: "utf8", stdio: ["ignore", "pipe", "pipe"]}));

function deviation(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

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

let differs = false;
const work = fs.mkdtempSync(path.join(os.tmpdir(), "halftone-parity-"));
for (const row of families) {
  if (options.only && options.only !== row.shape) continue;
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
