// SPDX-License-Identifier: Apache-2.0
// One process, one measurement: how far llama.cpp's own runs of quantized files are from its run of the float file, window by
// window and token by token, as `halftone validate` compares two models. Prints one line of JSON: by file and by window
// the log-probability of tokens 1 to n - 1 together, and for all but the first file the KL of each token and how often both agree.
//   node llama_quality.mjs '{"files":["f16.gguf","q4_0.gguf"],"windows":"windows.json","threads":2}'
import fs from "node:fs";

import {Evaluator, openLibrary, openModel, vocabularyOf} from "./llama_binding.mjs";
import {divergence} from "./quality.mjs";

// Vocabularies up to this are compared whole; of larger ones the most likely tokens of both, and all others as one.
const mostTokens = 8192, mostOfLarge = 4096;
const confidentProbability = 0.8; // as halftone validate counts
const rowBufferBytes = 1 << 27; // rows of the float file held at a time

function checked(row, vocabulary) {
  // The binding adds in 32 bits; where the row is whole, here is a better sum.
  if (row.logits.length === vocabulary) row.total = row.logits[0] + Math.log(row.logits.reduce((sum, logit) => sum + Math.exp(logit - row.logits[0]), 0));
  if (Number.isFinite(row.total) && Number.isFinite(row.following)) return row;
  throw new Error("expected finite logits, got NaN or infinity; the file is damaged");
}

async function compareWindow(evaluators, window, {chunk, most, vocabulary}, scratch) {
  const ids = Uint32Array.from(window);
  const records = evaluators.map((_, model) => ({tokens: ids.length - 1, log_probability: 0, ...(model > 0 ? {kl: [], same_top: 0, confident_tokens: 0, confident_flips: 0} : {})}));
  for (const evaluator of evaluators) evaluator.reset();
  for (let begin = 0; begin < ids.length - 1; begin += chunk) {
    const end = Math.min(begin + chunk, ids.length - 1);
    let expected;
    for (const [model, evaluator] of evaluators.entries()) {
      const rows = await evaluator.ranked(ids.subarray(begin, end), ids.subarray(begin + 1, end + 1), most);
      expected ??= rows;
      for (const [i, row] of rows.entries()) {
        checked(row, vocabulary);
        records[model].log_probability += row.following - row.total;
        if (model === 0) continue;
        records[model].kl.push(Number(divergence(expected[i], row, scratch).toPrecision(5)));
        const same = row.tokens[0] === expected[i].tokens[0], confident = Math.exp(expected[i].logits[0] - expected[i].total) >= confidentProbability;
        records[model].same_top += same ? 1 : 0;
        records[model].confident_tokens += confident ? 1 : 0;
        records[model].confident_flips += confident && !same ? 1 : 0;
      }
    }
  }
  return records;
}

async function main() {
  const {files, windows: path, threads} = JSON.parse(process.argv[2]);
  const windows = JSON.parse(fs.readFileSync(path, "utf8"));
  const longest = Math.max(...windows.map((window) => window.length));
  const llama = await openLibrary(threads);
  const batchTokens = Math.min(512, longest), evaluators = [];
  let vocabulary = 0;
  for (const file of files) {
    const opened = await openModel(llama, file, {contextTokens: longest + 1, batchTokens, threads});
    vocabulary = vocabularyOf(opened.model);
    evaluators.push(new Evaluator(llama, opened, batchTokens));
  }
  const most = vocabulary <= mostTokens ? vocabulary : mostOfLarge;
  const chunk = Math.max(1, Math.min(batchTokens, Math.floor(rowBufferBytes / (most * 8))));
  const scratch = new Float64Array(vocabulary).fill(NaN), scores = [], start = Date.now();
  for (const [i, window] of windows.entries()) {
    scores.push(await compareWindow(evaluators, window, {chunk, most, vocabulary}, scratch));
    if ((i + 1) % 10 === 0) process.stderr.write(`llama.cpp on window ${i + 1} of ${windows.length}, ${Math.round((Date.now() - start) / 1000)} s\n`);
  }
  console.log(JSON.stringify({files: Object.fromEntries(files.map((file, i) => [file, scores.map((window) => window[i])])), release: llama.llamaCppRelease?.release,
                              build: llama.buildType, system: llama.systemInfo,
                              vocabulary, compared_tokens: most}));
  process.exit(0);
}

main().catch((error) => {
  console.error(`llama_quality.mjs: ${error?.message ?? error}`);
  process.exit(1);
});
