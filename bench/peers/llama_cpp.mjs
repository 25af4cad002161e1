// SPDX-License-Identifier: Apache-2.0
// One process, one measurement of one GGUF file through node-llama-cpp; prints one line of JSON. Tokens go straight to the
// binding's batches, with no chat, no tokenizer and no sampling chain in between: what is timed is llama.cpp's decode.
//   node llama_cpp.mjs MODEL.gguf '{"prompt_tokens":512,"decode_tokens":64,"threads":2,"seed":1}'
//   node llama_cpp.mjs MODEL.gguf '{"prompt_ids":[1,2,3],"decode_tokens":20}'   greedy continuation, its ids
//   node llama_cpp.mjs MODEL.gguf '{"prompt_ids":[1,2,3],"decode_tokens":20,"margins":true}' and how far each lies before the next best
//   node llama_cpp.mjs MODEL.gguf '{"prompt_ids":[1,2,3],"logits_after":[2,3]}' logits after so many of them
//   node llama_cpp.mjs MODEL.gguf '{"texts":[{"prompt":[1,2],"tokens":[3,4]}]}' its own choice at each of these tokens, which it is given
//                                                                             one by one; whole logits where it is another, or at `rows`
import os from "node:os";

import {Evaluator, memory, openLibrary, openModel, vocabularyOf} from "./llama_binding.mjs";
import {deviation} from "./shared.mjs";

const seconds = () => Number(process.hrtime.bigint()) / 1e9;

// The same ids on every run: a 32-bit linear congruential generator.
function randomIds(count, vocabulary, seed) {
  let state = seed >>> 0;
  return Uint32Array.from({length: count}, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * vocabulary);
  });
}

// Between the likeliest token and the next, in deviations of the logits.
async function margin(evaluator, place) {
  const logits = (await evaluator.logits(place)).sort((a, b) => b - a);
  return (logits[0] - logits[1]) / deviation(logits);
}

// A pipe takes long lines in parts, and what it has not taken is lost at the exit.
function finish(result) {
  process.stdout.write(JSON.stringify(result) + "\n", () => process.exit(0));
}

async function follow(evaluator, {prompt, tokens, rows}) {
  evaluator.reset();
  const best = [], logits = {};
  let place = await evaluator.evaluate(Uint32Array.from(prompt));
  for (const [i, token] of tokens.entries()) {
    if (i > 0) place = await evaluator.evaluate(Uint32Array.of(tokens[i - 1]));
    best.push(await evaluator.sample(place));
    if (rows ? rows.includes(i) : best[i] !== token) logits[i] = await evaluator.logits(place);
  }
  return {best, logits};
}

async function main() {
  const [file, text] = process.argv.slice(2);
  const settings = {prompt_tokens: 512, decode_tokens: 64, threads: os.availableParallelism(), seed: 1, ...JSON.parse(text ?? "{}")};
  const llama = await openLibrary(settings.threads);
  const before = memory();

  const loadStart = seconds();
  const longest = Math.max(0, ...(settings.texts ?? []).map(({prompt, tokens}) => prompt.length + tokens.length));
  const promptTokens = settings.texts ? longest : settings.prompt_ids?.length ?? settings.prompt_tokens;
  const opened = await openModel(llama, file, {contextTokens: promptTokens + settings.decode_tokens + 1,
                                               batchTokens: Math.min(512, promptTokens), threads: settings.threads});
  const {model, context} = opened;
  const loadSeconds = seconds() - loadStart;

  const evaluator = new Evaluator(llama, opened, 512);
  if (settings.texts) {
    const texts = [];
    for (const text of settings.texts) texts.push(await follow(evaluator, text));
    return finish({texts});
  }
  const vocabulary = vocabularyOf(model);
  const prompt = settings.prompt_ids ? Uint32Array.from(settings.prompt_ids) : randomIds(promptTokens, vocabulary, settings.seed);

  const firstStart = seconds();
  let place = await evaluator.evaluate(prompt);
  let token = await evaluator.sample(place);
  const firstTokenSeconds = seconds() - firstStart;

  const result = {load_seconds: loadSeconds, first_token_seconds: firstTokenSeconds, system: llama.systemInfo,
                  release: llama.llamaCppRelease?.release, build: llama.buildType, threads: context.currentThreads,
                  model_bytes: model.size, prompt_tokens: promptTokens, decode_tokens: settings.decode_tokens};
  if (settings.logits_after) {
    result.logits = [];
    for (const length of settings.logits_after) {
      evaluator.reset();
      result.logits.push(await evaluator.logits(await evaluator.evaluate(prompt.subarray(0, length))));
    }
  } else if (settings.prompt_ids) {
    result.tokens = [];
    if (settings.margins) result.margins = [];
    for (let i = 0; i < settings.decode_tokens; ++i) {
      if (settings.margins) result.margins.push(await margin(evaluator, place));
      result.tokens.push(token);
      if (i + 1 === settings.decode_tokens) break;
      place = await evaluator.evaluate(Uint32Array.of(token));
      token = await evaluator.sample(place);
    }
  } else {
    // The first pass touched every page; the second is timed.
    evaluator.reset();
    const prefillStart = seconds();
    await evaluator.evaluate(prompt);
    const prefillSeconds = seconds() - prefillStart;
    const ids = randomIds(settings.decode_tokens, vocabulary, settings.seed + 1);
    const decodeStart = seconds();
    for (let i = 0; i < ids.length; ++i) await evaluator.evaluate(ids.subarray(i, i + 1));
    const decodeSeconds = seconds() - decodeStart;
    result.prefill_tokens_per_second = promptTokens / prefillSeconds;
    result.decode_tokens_per_second = ids.length / decodeSeconds;
    result.decode_step_seconds = decodeSeconds / ids.length;
  }
  const after = memory();
  // What node itself holds is not llama.cpp's: the growth since before the model was loaded.
  result.memory = before === null ? null : {private_bytes: after.private_bytes - before.private_bytes,
                                            mapped_bytes: after.mapped_bytes - before.mapped_bytes,
                                            node_private_bytes: before.private_bytes};
  finish(result);
}

main().catch((error) => {
  console.error(`llama_cpp.mjs: ${error?.message ?? error}`);
  process.exit(1);
});
