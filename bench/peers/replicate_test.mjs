// SPDX-License-Identifier: Apache-2.0
// node --test replicate_test.mjs: what needs neither a model nor a peer.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";

import {parsePrograms} from "./native.mjs";
import {divergence, floatsApart, summarizeQuality} from "./quality.mjs";
import {parseOptions, parseTypes, spread} from "./shared.mjs";

// A row as the binding gives it: the likeliest first, at most `most`.
function row(logits, most = logits.length) {
  const tokens = [...logits.keys()].sort((a, b) => logits[b] - logits[a]).slice(0, most);
  return {tokens, logits: tokens.map((token) => logits[token]), total: Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0))};
}

test("divergence of whole rows is the sum over the vocabulary", () => {
  const p = [1, 0, -1, 2], q = [0.5, 0.5, -2, 2.5], scratch = new Float64Array(4).fill(NaN);
  const softmax = (logits) => logits.map((logit) => Math.exp(logit - row(logits).total));
  const expected = softmax(p).reduce((sum, probability, i) => sum + probability * Math.log(probability / softmax(q)[i]), 0);
  assert.ok(Math.abs(divergence(row(p), row(q), scratch) - expected) < 1e-12);
  assert.equal(divergence(row(p), row(p), scratch), 0);
  assert.ok(scratch.every(Number.isNaN));
});

test("divergence of the likeliest tokens is no more than that of all, and near it", () => {
  const p = Array.from({length: 400}, (_, i) => 6 * Math.sin(i * i)), q = p.map((logit, i) => logit + 0.3 * Math.cos(7 * i));
  const scratch = new Float64Array(400).fill(NaN), whole = divergence(row(p), row(q), scratch);
  const part = divergence(row(p, 200), row(q, 200), scratch);
  assert.ok(part <= whole && part > 0.9 * whole, `${part} of ${whole}`);
});

test("figures are per token, not per window", () => {
  const quality = summarizeQuality([{tokens: 1, float: -1, candidate: -2, kl: [0.4], same_top: 0}, {tokens: 3, float: -3, candidate: -3, kl: [0, 0, 0], same_top: 3}]);
  assert.equal(quality.log_perplexity, 5 / 4);
  assert.equal(quality.log_perplexity_change, 1 / 4);
  assert.equal(quality.kl, 0.1);
  assert.equal(quality.same_top, 3 / 4);
  assert.equal(quality.kl_interval, null); // two windows tell nothing of their spread
  assert.equal(quality.kl_p999, null);
});

test("intervals of many windows hold the mean and repeat", () => {
  const samples = Array.from({length: 50}, (_, i) => ({tokens: 10, float: -40, candidate: -40 - (i % 5), kl: Array(10).fill(i / 500), same_top: 9}));
  const quality = summarizeQuality(samples), [low, high] = quality.kl_interval;
  assert.ok(low < quality.kl && quality.kl < high);
  assert.deepEqual(summarizeQuality(samples), quality);
});

test("floats apart: signed over all, largest of a window", () => {
  const apart = floatsApart([{tokens: 2, float: -4}, {tokens: 2, float: -4}], [{float: -4.2}, {float: -3.8}]);
  assert.ok(Math.abs(apart.mean) < 1e-12);
  assert.ok(Math.abs(apart.worst_window - 0.1) < 1e-12);
});

test("options: names, values and what is wrong with them", () => {
  const defaults = {rounds: 5, promptTokens: 512, work: "", allowNoisy: false};
  assert.deepEqual(parseOptions(["a", "--prompt-tokens", "7", "--allow-noisy", "b"], defaults),
                   {options: {rounds: 5, promptTokens: 7, work: "", allowNoisy: true}, words: ["a", "b"]});
  assert.throws(() => parseOptions(["--round", "2"], defaults), /expected options --rounds.*got --round$/);
  assert.throws(() => parseOptions(["--rounds"], defaults), /a value behind --rounds/);
  assert.throws(() => parseOptions(["--rounds", "many"], defaults), /a number behind --rounds, got many/);
  assert.throws(() => parseTypes("q4_0,q9"), /got q9/);
});

test("own builds: names, several, and files that do not exist", () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "replicate-")), "llama-bench");
  fs.writeFileSync(file, "");
  assert.deepEqual(parsePrograms(`${file},ik=${file}`, "--llama-bench"), [{name: "llama-bench", file}, {name: "ik", file}]);
  assert.deepEqual(parsePrograms("", "--llama-bench"), []);
  assert.throws(() => parsePrograms("/no/such", "--llama-bench"), /--llama-bench: expected a program, got \/no\/such/);
  fs.rmSync(path.dirname(file), {recursive: true});
});

test("spread: median of an even count lies between", () => assert.deepEqual(spread([4, 1, 3, 2]), {median: 2.5, low: 1, high: 4}));

test("every published figure has a source and a pattern that compiles", () => {
  for (const figure of JSON.parse(fs.readFileSync(new URL("published.json", import.meta.url), "utf8"))) {
    for (const key of ["model", "what", "value", "format", "text", "source"]) assert.equal(typeof figure[key], "string", key);
    if (figure.match !== null) assert.ok(new RegExp(figure.match, "i"));
  }
});
