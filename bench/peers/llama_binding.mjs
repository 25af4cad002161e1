// SPDX-License-Identifier: Apache-2.0
// llama.cpp through node-llama-cpp's own binding: token ids go straight to its batches, with no chat, no tokenizer and no
// sampling chain in between.
import fs from "node:fs";

// node-llama-cpp chooses a build by the machine; an accelerator would be another comparison.
const {getLlama, LlamaLogLevel} = await import("node-llama-cpp");

// Bytes by kind, from the system; null where it does not say.
export function memory() {
  try {
    const status = fs.readFileSync("/proc/self/status", "utf8");
    const kilobytes = (key) => Number(new RegExp(`^${key}:\\s*(\\d+)`, "m").exec(status)?.[1] ?? NaN) * 1024;
    return {private_bytes: kilobytes("RssAnon"), mapped_bytes: kilobytes("RssFile") + kilobytes("RssShmem")};
  } catch {
    return null;
  }
}

export const openLibrary = (threads) =>
  getLlama({gpu: false, build: "never", logLevel: LlamaLogLevel.error, maxThreads: threads});

// A model and one sequence of `contextTokens`, in batches of at most `batchTokens`.
export async function openModel(llama, file, {contextTokens, batchTokens, threads}) {
  const model = await llama.loadModel({modelPath: file, gpuLayers: 0, useMmap: true, checkTensors: false});
  const context = await model.createContext({contextSize: contextTokens, batchSize: Math.max(1, batchTokens), sequences: 1,
                                             threads: {ideal: threads, min: threads}});
  context._ctx.setThreads(threads);
  return {model, context};
}

export const vocabularyOf = (model) => model.fileInfo.metadata[model.fileInfo.metadata.general.architecture].vocab_size;

export class Evaluator {
  constructor(llama, {model, context}, batchTokens) {
    this.binding = context._ctx;
    this.batchTokens = batchTokens;
    this.position = 0;
    this.Sampler = llama._bindings.AddonSampler;
    this.model = model._model;
    this.sampler = new this.Sampler(this.model);
    this.sampler.applyConfig({temperature: 0}); // the most likely token
  }

  // Appends ids; gives the index of the last one's logits. Batches as llama-bench makes them.
  async evaluate(ids) {
    let logits;
    for (let begin = 0; begin < ids.length; begin += this.batchTokens) {
      const part = ids.subarray(begin, begin + this.batchTokens);
      const last = begin + part.length === ids.length;
      const indexes = await this.batch(part, Uint32Array.from(last ? [part.length - 1] : []));
      if (last) logits = indexes[0];
    }
    return logits;
  }

  // Appends ids, one batch. Behind each: the `most` likeliest tokens, their logits, the likeliest first; the logit of the token
  // that follows in the text; the logarithm of the sum over the whole vocabulary. The binding hands out pairs of id and
  // logit one by one, so that whole rows of a large vocabulary would take most of the time.
  async ranked(ids, following, most) {
    this.likeliest ??= new this.Sampler(this.model);
    this.likeliest.applyConfig({temperature: 1, topK: most, seed: 1}); // leaves the logits of the likeliest as they are
    const rows = [];
    for (const [i, index] of (await this.batch(ids, Uint32Array.from(ids.keys()))).entries()) {
      const [, , , [, next], weight] = await this.binding.sampleToken(index, this.sampler, false, false,
                                                                     [[following[i]], false, false, false, 0], true);
      const [, , , pairs] = await this.binding.sampleToken(index, this.likeliest, false, false, true);
      const tokens = new Int32Array(most), logits = new Float32Array(most);
      for (let k = 0; k < most; ++k) {
        tokens[k] = pairs[2 * k];
        logits[k] = pairs[2 * k + 1];
      }
      rows.push({tokens, logits, following: next, total: logits[0] + Math.log(weight)});
    }
    return rows;
  }

  async batch(ids, wanted) {
    this.binding.initBatch(ids.length);
    const indexes = this.binding.addToBatch(0, this.position, ids, wanted);
    await this.binding.decodeBatch();
    this.position += ids.length;
    return indexes;
  }

  sample(logits) {
    return this.binding.sampleToken(logits, this.sampler);
  }

  // Of one place, by token; the binding gives them most likely first.
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
