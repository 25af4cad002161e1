// SPDX-License-Identifier: Apache-2.0
// One process, one measurement of one GGUF file through node-llama-cpp; prints one line of JSON. Tokens go straight to the
// binding's batches, with no chat, no tokenizer and no sampling chain in between: what is timed is llama.cpp's decode.
//   node llama_cpp.mjs MODEL.gguf '{"prompt_tokens":512,"decode_tokens":64,"threads":2,"seed":1}'
//   node llama_cpp.mjs MODEL.gguf '{"prompt_ids":[1,2,3],"decode_tokens":20}'   greedy continuation, its ids
//   node llama_cpp.mjs MODEL.gguf '{"prompt_ids":[1,2,3],"logits_after":[2,3]}' logits after so many of them
import fs from "node:fs";
import os from "node:os";

// node-llama-cpp chooses a build by the machine; an accelerator would be another comparison.
const {getLlama, LlamaLogLevel} = await import("node-llama-cpp");

const seconds = () => Number(process.hrtime.bigint()) / 1e9;

// Bytes by kind, from the system; null where it does not say.
function memory() {
  try {
    const status = fs.readFileSync("/proc/self/status", "utf8");
    const kilobytes = (key) => Number(new RegExp(`^${key}:\\s*(\\d+)`, "m").exec(status)?.[1] ?? NaN) * 1024;
    return {private_bytes: kilobytes("RssAnon"), mapped_bytes: kilobytes("RssFile") + kilobytes("RssShmem")};
  } catch {
    return null;
  }
}

// The same ids on every run: a 32-bit linear congruential generator.
function randomIds(count, vocabulary, seed) {
  let state = seed >>> 0;
  return Uint32Array.from({length: count}, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * vocabulary);
  });
}

class Evaluator {
  constructor(context, sampler, batchTokens) {
    this.binding = context._ctx;
    this.sampler = sampler;
    this.batchTokens = batchTokens;
    this.position = 0;
  }

  // Appends ids; gives the index of the last one's logits. Batches as llama-bench makes them.
  async evaluate(ids) {
    let logits;
    for (let begin = 0; begin < ids.length; begin += this.batchTokens) {
      const part = ids.subarray(begin, begin + this.batchTokens);
      const last = begin + part.length === ids.length;
      this.binding.initBatch(part.length);
      const indexes = this.binding.addToBatch(0, this.position, part, Uint32Array.from(last ? [part.length - 1] : []));
      await this.binding.decodeBatch();
      this.position += part.length;
      if (last) logits = indexes[0];
    }
    return logits;
  }

  sample(logits) {
    return this.binding.sampleToken(logits, this.sampler);
  }

  // By token; the binding gives them most likely first.
  async logits(index) {
    const [, , , pairs] = await this.binding.sampleToken(index, this.sampler, false, false, true);
    const logits = [];
    for (let i = 0; i < pairs.length; i += 2) logits[pairs[i]] = pairs[i + 1];
    return logits;
  }

  reset() {
    this.binding.disposeSequence(0);
    this.position = 0;
  }
}

async function main() {
  const [file, text] = process.argv.slice(2);
  const settings = {prompt_tokens: 512, decode_tokens: 64, threads: os.availableParallelism(), seed: 1, ...JSON.parse(text ?? "{}")};
  const llama = await getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: settings.threads});
  const before = memory();

  const loadStart = seconds();
  const model = await llama.loadModel({modelPath: file, gpuLayers: 0, useMmap: true, checkTensors: false});
  const promptTokens = settings.prompt_ids?.length ?? settings.prompt_tokens;
  const context = await model.createContext({
    contextSize: promptTokens + settings.decode_tokens + 1,
    batchSize: Math.max(1, Math.min(512, promptTokens)),
    sequences: 1,
    threads: {ideal: settings.threads, min: settings.threads}
  });
  context._ctx.setThreads(settings.threads);
  const loadSeconds = seconds() - loadStart;

  const sampler = new llama._bindings.AddonSampler(model._model);
  sampler.applyConfig({temperature: 0}); // the most likely token
  const evaluator = new Evaluator(context, sampler, 512);
  const vocabulary = model.fileInfo.metadata[model.fileInfo.metadata.general.architecture].vocab_size;
  const prompt = settings.prompt_ids ? Uint32Array.from(settings.prompt_ids) : randomIds(promptTokens, vocabulary, settings.seed);

  const firstStart = seconds();
  let token = await evaluator.sample(await evaluator.evaluate(prompt));
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
    for (let i = 0; i < settings.decode_tokens; ++i) {
      result.tokens.push(token);
      if (i + 1 < settings.decode_tokens) token = await evaluator.sample(await evaluator.evaluate(Uint32Array.of(token)));
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
  console.log(JSON.stringify(result));
  process.exit(0);
}

main().catch((error) => {
  console.error(`llama_cpp.mjs: ${error?.message ?? error}`);
  process.exit(1);
});
