// SPDX-License-Identifier: Apache-2.0
// Does llama.cpp (node-llama-cpp) open what `halftone export --to gguf` writes, and go on as halftone does with the same file?
//   node agree.mjs MODEL [types, q4_0,q4_k,...] [tokens per prompt]
// MODEL is a folder with a tokenizer; $PROMPT, one prompt instead of those below. halftone continues greedily on exact activations, and llama.cpp is
// given the same tokens and asked for its own choice at each. For quantized types it rounds activations to 8 bits, so near ties part them. Each
// parting is held against a third run: llama.cpp on the same numbers as f32 weights, which it does not round. It is
//   explained   f32 sides with halftone, or f32's own choice is a tie (within 0.001 of the logits' deviation, what f16 keys and values cost):
//               llama.cpp's rounding, and nothing in the file or in halftone, made the difference
//   DIFFERS     else. Exit status 1.
import {execFile} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import {promisify} from "node:util";

import {deviation, program, runPeer} from "./shared.mjs";

const run = promisify(execFile);
const halftone = process.env.HALFTONE ?? program;
const tie = 0.001;
const [model, typeList = "f32,f16,bf16,q8_0,q6_k,q5_k,q5_1,q5_0,q4_k,q4_1,q4_0", count = "64"] = process.argv.slice(2);
if (!model) throw new Error("expected MODEL [types] [tokens per prompt]");
const prompts = process.env.PROMPT ? [process.env.PROMPT] : [
  "The weather in the north is", "Question: What is 17 plus 25?\nAnswer:", "It was a dark evening, and the old man", "Once there was a king who",
  "She said that", "In the year 1850,", "My dear friend,", "The dog and the cat",
];

const work = fs.mkdtempSync(path.join(os.tmpdir(), "halftone-agree-"));
process.env.HALFTONE_CACHE = path.join(work, "cache");
const json = async (...words) => JSON.parse((await run(halftone, [...words, "--quiet", "--json", "-"], {maxBuffer: 1 << 28})).stdout).results;

// Twice the file is written: of the type, and the same numbers in f32.
async function exported(type) {
  const file = path.join(work, `m-${type}.gguf`), plain = path.join(work, `m-${type}-f32.gguf`);
  const report = await json("export", model, "--to", "gguf", "--type", type, "-o", file, "--allow-float");
  const again = await json("export", file, "--to", "gguf", "--type", "f32", "-o", plain, "--allow-float", "--allow-requantize");
  const changed = again.tensors.filter((tensor) => tensor.relative_rms_error > 0);
  if (changed.length > 0) throw new Error(`${type} as f32: expected the same numbers, got others in ${changed[0].name}`);
  return {file, plain, report};
}

// One text; both of llama.cpp's answers.
function explain(text, quantized, plain) {
  const found = {parted: 0, explained: 0, sided: 0, margin: 0, rounding: 0};
  for (const [key, logits] of Object.entries(quantized.logits)) {
    const ours = text.tokens[key], theirs = quantized.best[key], exact = plain.logits[key], spread = deviation(exact);
    const behind = (Math.max(...exact) - exact[ours]) / spread;
    found.parted += 1;
    found.sided += plain.best[key] === ours;
    found.explained += plain.best[key] === ours || behind < tie;
    found.margin = Math.max(found.margin, (logits[theirs] - logits[ours]) / spread);
    found.rounding = Math.max(found.rounding, ...logits.map((value, id) => Math.abs(value - exact[id]) / spread));
  }
  return found;
}

try {
  let differs = false;
  for (const type of typeList.split(",")) {
    const {file, plain, report} = await exported(type);
    const texts = [];
    for (const prompt of prompts) {
      const ours = await json("run", file, "-p", prompt, "--temperature", "0", "--max-tokens", count, "--activations", "exact");
      if (ours.tokens.length > 0) texts.push({prompt: ours.prompt_tokens, tokens: ours.tokens});
    }
    const {texts: quantized} = await runPeer("llama_cpp.mjs", [file, JSON.stringify({texts, threads: 1})]);
    const asked = texts.map((text, i) => ({...text, rows: Object.keys(quantized[i].logits).map(Number)}));
    const {texts: exact} = await runPeer("llama_cpp.mjs", [plain, JSON.stringify({texts: asked, threads: 1})]);
    const all = texts.map((text, i) => explain(text, quantized[i], exact[i]));
    const sum = (key) => all.reduce((total, one) => total + one[key], 0), most = (key) => Math.max(...all.map((one) => one[key]));
    const tokens = texts.reduce((total, text) => total + text.tokens.length, 0);
    const f32 = texts.reduce((total, text, i) => total + text.tokens.filter((token, k) => exact[i].best[k] === token).length, 0);
    const worst = Math.max(...report.tensors.map((tensor) => tensor.relative_rms_error));
    differs ||= sum("explained") < sum("parted");
    console.log(`${sum("explained") < sum("parted") ? "DIFFERS" : "agrees "} ${type.padEnd(5)} ${report.file_bytes} bytes, worst error ${(100 * worst).toFixed(2)} %: ` +
                `${tokens - sum("parted")} of ${tokens} tokens the same; ${sum("parted")} parted, ${sum("explained")} explained (f32 sides with halftone in ${sum("sided")})` +
                (sum("parted") > 0 ? `: llama.cpp's margin at most ${most("margin").toFixed(4)}, its rounding up to ${most("rounding").toFixed(4)} deviations` : "") +
                `; f32 weights: ${f32} of ${tokens}`);
    fs.rmSync(file);
    fs.rmSync(plain);
  }
  process.exitCode = differs ? 1 : 0;
} finally {
  fs.rmSync(work, {recursive: true, force: true});
}
