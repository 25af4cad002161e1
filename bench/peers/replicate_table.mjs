// SPDX-License-Identifier: Apache-2.0
// The tables of replicate.mjs.

const megabytes = (bytes) => (bytes * 1e-6).toPrecision(4);
const busy = /other processes used/;
const signed = (value, decimals) => (value >= 0 ? "+" : "") + value.toFixed(decimals);
const percent = (change) => 100 * Math.expm1(change);

// Columns as wide as their widest cell; the first two to the left.
function printTable(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  for (const line of lines)
    console.log(line.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join("  ").trimEnd());
}

function qualityCells(row) {
  const {quality} = row;
  if (quality === undefined) return null;
  const mark = quality.own_windows ? " *" : "";
  const cells = [quality.perplexity.toFixed(3) + mark];
  if (quality.kl === undefined) return [...cells, "-", "-", "-", "-"];
  const change = quality.log_perplexity_change, interval = quality.log_perplexity_change_interval;
  const kl = quality.kl, bounds = quality.kl_interval, least = quality.kl_compared_tokens ? ">= " : "";
  return [...cells, signed(percent(change), 2) + " %" + (interval ? ` [${interval.map((end) => signed(percent(end), 2)).join(", ")}]` : ""),
          least + kl.toPrecision(3) + (bounds ? ` [${bounds.map((end) => end.toPrecision(3)).join(", ")}]` : ""),
          quality.kl_p999 == null ? "-" : quality.kl_p999.toPrecision(3), (100 * quality.same_top).toFixed(1) + " %"];
}

function printQuality(result) {
  const {settings, models, rows} = result, tokens = rows.find((row) => row.quality?.tokens)?.quality;
  console.log(`\nQuality: ${tokens?.windows} windows of ${settings.window} tokens, ${tokens?.tokens.toLocaleString("en")} scored; change and KL are against the same runtime's f16; [95 % by window]`);
  const lines = [["", "format", "weights MB", "perplexity", "change", "KL, nats per token", "99.9 % KL", "same top"]];
  const measured = rows.filter((row) => row.quality);
  for (const row of measured) lines.push([row.runtime, row.type, megabytes(models[row.type][row.activations ? "artifact_weight_bytes" : "weight_bytes"]), ...qualityCells(row)]);
  printTable(lines);
  if (result.floats_apart) {
    const {mean, worst_window: worst} = result.floats_apart;
    console.log(`f16 in halftone and in llama.cpp: ${mean.toExponential(1)} nats per token apart, at most ${worst.toExponential(1)} in a window. ` +
                "KL against the other runtime's float is not measured: halftone hands out no whole rows.");
  }
  const short = measured.find((row) => row.quality.kl_compared_tokens)?.quality.kl_compared_tokens;
  if (short) console.log(`>=: over the ${short.toLocaleString("en")} most likely tokens, all others as one: no more than the KL of the whole vocabulary, which halftone's rows show.`);
  if (measured.some((row) => row.quality.own_windows)) console.log("*: second halves of windows that it cuts itself; compare its change and KL, not its perplexity.");
}

function printSpeed(result) {
  const {settings, rows} = result, measured = rows.filter((row) => row.speed);
  if (measured.length === 0) return;
  console.log(`\nSpeed: ${settings.threads} threads, prompt ${settings.promptTokens}, ${settings.decodeTokens} decoded, ${settings.rounds} rounds in turn: median [lowest - highest]`);
  if (result.warnings.some((text) => busy.test(text))) console.log("NOISY: other processes used the cores. Rows are not comparable: each runtime waits for its threads in its own way.");
  const show = (row, key, decimals, scale = 1) => {
    const figure = row.speed[key];
    return figure === undefined ? "-" : `${(figure.median * scale).toFixed(decimals)} [${(figure.low * scale).toFixed(decimals)} - ${(figure.high * scale).toFixed(decimals)}]`;
  };
  const lines = [["", "format", "prefill tok/s", "decode tok/s", "load ms", "private MB"]];
  for (const row of measured)
    lines.push([row.runtime, row.type, show(row, "prefill_tokens_per_second", 0), show(row, "decode_tokens_per_second", 1), show(row, "load_seconds", 1, 1e3),
                show(row, "private_bytes", 1, 1e-6)]);
  printTable(lines);
}

// Rows or parts of rows without figures, those of one reason together.
function printAbsent(rows) {
  const reasons = new Map();
  for (const row of rows)
    for (const [part, why] of [["", row.not_run], [", quality", row.quality_not_run], [", speed", row.speed_not_run]])
      if (why) reasons.set(why, [...(reasons.get(why) ?? []), `${row.runtime}${row.type ? ` ${row.type}` : ""}${part}`]);
  if (reasons.size > 0) console.log("");
  for (const [why, names] of reasons) console.log(`${names.join("; ")}: not run: ${why}`);
}

function printPublished(figures) {
  for (const [same, title] of [[true, "Published for this model (other text, windows and machines: beside, not a comparison)"],
                               [false, "Published for other models (not a comparison)"]]) {
    const some = figures.filter((figure) => figure.same_model === same);
    if (some.length === 0) continue;
    console.log(`\n${title}`);
    for (const figure of some) console.log(`  ${figure.model}, ${figure.what}: ${figure.value}; ${figure.format}; ${figure.text}\n      ${figure.source}`);
  }
}

// One of each kind: the same sentence with other figures comes from every row.
function printWarnings(warnings) {
  const kinds = new Map();
  for (const text of warnings) {
    const kind = text.replace(/^\S+: /, "").replace(/[\d.]+/g, "#");
    kinds.set(kind, [...(kinds.get(kind) ?? []), text]);
  }
  for (const [first, ...more] of kinds.values()) console.log(`warning: ${first}${more.length > 0 ? ` (and ${more.length} like it)` : ""}`);
}

export function printResult(result) {
  const {machine, settings, models} = result;
  console.log(`${settings.model} on ${settings.text}\n${machine.cpu}, ${machine.cores} cores` +
              (result.peer ? `; llama.cpp ${result.peer.release} (node-llama-cpp ${result.peer.version}, ${result.peer.build})` : ""));
  for (const [type, model] of Object.entries(models))
    if (!model.not_run) console.log(`${type}: ${model.tensors} tensors, ${model.artifact_weight_bytes.toLocaleString("en")} bytes of weights in halftone's file, ` +
                                    `${model.weight_bytes.toLocaleString("en")} in GGUF; ${model.bit_exact ? "every number the same" : "NOT the same numbers"}`);
  printQuality(result);
  printSpeed(result);
  printAbsent(result.rows);
  printPublished(result.published);
  console.log("");
  printWarnings(result.warnings);
}
