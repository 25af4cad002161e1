// SPDX-License-Identifier: Apache-2.0
// From rows to samples of windows, and from these to figures, the same way for every runtime. A sample: tokens, the log-probability of the float run
// and of the candidate, KL per token, tokens on which both agree.

const replicates = 2000, fewestWindows = 8;

function random(seed) {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

// KL of the row `found` from the row `expected`: of the tokens that both list, and all others as one, which is no more than
// the KL of the whole vocabulary. `total`: logarithm of the sum over all. `scratch`: one NaN per token, given back so.
export function divergence(expected, found, scratch) {
  for (const [k, token] of found.tokens.entries()) scratch[token] = found.logits[k] - found.total;
  let kl = 0, expectedRest = 1, foundRest = 1;
  for (const [k, token] of expected.tokens.entries()) {
    const ours = expected.logits[k] - expected.total, theirs = scratch[token];
    if (Number.isNaN(theirs)) continue; // one of the others
    const probability = Math.exp(ours);
    kl += probability * (ours - theirs);
    expectedRest -= probability;
    foundRest -= Math.exp(theirs);
  }
  for (const token of found.tokens) scratch[token] = NaN;
  const rounding = 1e-6;
  if (expectedRest > rounding && foundRest > rounding) kl += expectedRest * Math.log(expectedRest / foundRest);
  return Math.max(0, kl);
}

// Percentile bootstrap of windows: tokens of one window are not independent. [low, high] of 95 %, null with few windows.
function intervals(samples, statistics) {
  const names = Object.keys(statistics);
  if (samples.length < fewestWindows) return Object.fromEntries(names.map((name) => [name, null]));
  const next = random(1), drawn = Object.fromEntries(names.map((name) => [name, []]));
  for (let replicate = 0; replicate < replicates; ++replicate) {
    const again = samples.map(() => samples[Math.floor(next() * samples.length)]);
    for (const name of names) drawn[name].push(statistics[name](again));
  }
  for (const name of names) drawn[name].sort((a, b) => a - b);
  const at = (share) => Math.min(replicates - 1, Math.floor(share * replicates));
  return Object.fromEntries(names.map((name) => [name, [drawn[name][at(0.025)], drawn[name][at(0.975)]]]));
}

// Below `fewest` values not even the largest bounds the quantile.
const quantile = (sorted, share, fewest) => (sorted.length < fewest ? null : sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]);

export function summarizeQuality(samples) {
  const brief = samples.map((sample) => ({tokens: sample.tokens, change: sample.float - sample.candidate,
                                          kl: sample.kl === undefined ? 0 : sum(sample.kl)}));
  const tokens = (some) => sum(some.map((one) => one.tokens));
  const perToken = (key) => (some) => sum(some.map((one) => one[key])) / tokens(some);
  const total = tokens(brief);
  const result = {windows: samples.length, tokens: total, log_perplexity: -sum(samples.map((sample) => sample.candidate)) / total};
  result.perplexity = Math.exp(result.log_perplexity);
  if (samples[0].kl === undefined) return result;
  const kl = samples.flatMap((sample) => sample.kl).sort((a, b) => a - b);
  const interval = intervals(brief, {change: perToken("change"), kl: perToken("kl")});
  return {...result, log_perplexity_change: perToken("change")(brief), log_perplexity_change_interval: interval.change,
          kl: perToken("kl")(brief), kl_interval: interval.kl, kl_p99: quantile(kl, 0.99, 299), kl_p999: quantile(kl, 0.999, 2995),
          same_top: sum(samples.map((sample) => sample.same_top)) / total};
}

// How far two runtimes' runs of the same float numbers are apart, in nats per token: all windows together, and the worst one.
export function floatsApart(ours, theirs) {
  const apart = ours.map((one, i) => (one.float - theirs[i].float) / one.tokens);
  const tokens = sum(ours.map((one) => one.tokens));
  return {mean: sum(ours.map((one, i) => apart[i] * one.tokens)) / tokens, worst_window: Math.max(...apart.map(Math.abs))};
}
