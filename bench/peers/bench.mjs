// SPDX-License-Identifier: Apache-2.0
// halftone beside llama.cpp (node-llama-cpp) on the same codes and scales, process by process in turn; README.md tells what
// is compared with what. Options are those of `defaults`, --like-this VALUE.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import {buildWarnings, halftone, here, measureHalftone, measurePeer, note, parseOptions, parseTypes, peerVersion, prepareType, program,
        spread} from "./shared.mjs";

const defaults = {
  shape: "llama-3.2-1b", // of `halftone synth`
  model: "",             // a model folder instead of random weights
  types: "q4_0,q8_0",    // f16, q8_0, q4_0
  rounds: 5,
  promptTokens: 512,
  decodeTokens: 64,
  threads: os.availableParallelism(),
  halftone: program,
  work: path.join(os.tmpdir(), "halftone-peers"), // models, several GB
  output: path.join(here, "result.json"),
  allowNoisy: false      // measure on a loaded machine too, and say so
};

function readOptions() {
  const {options, words} = parseOptions(process.argv.slice(2), defaults);
  if (words.length > 0) throw new Error(`expected options as --like-this VALUE, got ${words[0]}`);
  return {...options, types: parseTypes(options.types)};
}

// Random weights of a real shape have no tokenizer; node-llama-cpp opens nothing without one.
const standIn = (options) => (options.model === "" ? ["--tokenizer", "stand-in"] : []);

// Makes what is missing: float folder, artifact, GGUF of the artifact's own codes and scales.
async function prepare(options) {
  fs.mkdirSync(options.work, {recursive: true});
  const name = options.model === "" ? options.shape : path.basename(path.resolve(options.model));
  const source = options.model === "" ? path.join(options.work, name) : options.model;
  if (!fs.existsSync(source)) {
    note(`synth ${name}`);
    await halftone(options, "synth", options.shape, "-o", source);
  }
  const models = {};
  for (const type of options.types) models[type] = await prepareType(options, source, name, type, standIn(options));
  return models;
}

// A step of a model that computes next to nothing: JavaScript, the hop to another thread and back, llama.cpp's own graph.
// An upper bound of what the way through node costs.
async function stepOverhead(options) {
  const source = path.join(options.work, "tiny"), gguf = path.join(options.work, "tiny-f16.gguf");
  if (!fs.existsSync(source)) await halftone(options, "synth", "tiny", "-o", source);
  await halftone(options, "export", source, "--to", "gguf", "--type", "f16", "-o", gguf, "--replace");
  const result = await measurePeer({...options, promptTokens: 16, decodeTokens: 64}, gguf);
  return result.decode_step_seconds;
}

const figures = {
  prefill_tokens_per_second: ["prefill tok/s", 0],
  decode_tokens_per_second: ["decode tok/s", 1],
  load_seconds: ["load s", 3],
  load_to_first_token_seconds: ["load to first token s", 2],
  private_bytes: ["private MB", 0]
};

function summarize(rounds) {
  const summary = {};
  for (const key of Object.keys(figures)) {
    const value = (one) => (key === "load_to_first_token_seconds" ? one.load_seconds + one.first_token_seconds : one[key]);
    if (rounds.some(({halftone: ours, peer}) => value(ours) == null || value(peer) == null)) continue;
    summary[key] = {halftone: spread(rounds.map((round) => value(round.halftone))),
                    peer: spread(rounds.map((round) => value(round.peer))),
                    ratio: spread(rounds.map((round) => value(round.halftone) / value(round.peer)))};
  }
  return summary;
}

function print(type, summary) {
  const show = ({median, low, high}, decimals, scale = 1) =>
    `${(median * scale).toFixed(decimals)} [${(low * scale).toFixed(decimals)} - ${(high * scale).toFixed(decimals)}]`;
  console.log(`\n${type.padEnd(23)}${"halftone".padStart(24)}${"llama.cpp".padStart(24)}${"halftone / llama.cpp".padStart(24)}`);
  for (const [key, [label, decimals]] of Object.entries(figures)) {
    if (!(key in summary)) continue;
    const {halftone: ours, peer, ratio} = summary[key], scale = key === "private_bytes" ? 1e-6 : 1;
    console.log(label.padEnd(23) + show(ours, decimals, scale).padStart(24) + show(peer, decimals, scale).padStart(24) +
                show(ratio, 2).padStart(24));
  }
}

async function main() {
  const options = readOptions();
  if (!fs.existsSync(options.halftone)) throw new Error(`${options.halftone}: expected the program; build it, or give --halftone PATH`);
  const models = await prepare(options);
  const result = {command: ["node", "bench.mjs", ...process.argv.slice(2)].join(" "), date: new Date().toISOString(),
                  machine: {cpu: os.cpus()[0]?.model.trim(), cores: os.availableParallelism(), memory_bytes: os.totalmem()},
                  settings: {...options, types: options.types}, models, types: {}, warnings: []};
  result.peer_empty_step_seconds = await stepOverhead(options);
  for (const type of options.types) result.types[type] = {rounds: []};
  for (let round = 0; round < options.rounds; ++round)
    for (const type of options.types) {
      note(`round ${round + 1} of ${options.rounds}: ${type}`);
      const ours = () => measureHalftone(options, models[type].artifact), theirs = () => measurePeer(options, models[type].gguf);
      // Who is first changes every round, so that what follows a warm file or a warm core hits both.
      const entry = {};
      if (round % 2 === 0) entry.halftone = await ours();
      entry.peer = await theirs();
      if (round % 2 === 1) entry.halftone = await ours();
      result.types[type].rounds.push(entry);
    }
  const {peer, halftone: ours} = result.types[options.types[0]].rounds[0];
  result.peer = {name: "node-llama-cpp", version: peerVersion(),
                 release: peer.release, build: peer.build, system: peer.system};
  result.warnings.push(...buildWarnings(peer.system));
  for (const type of options.types) {
    if (!models[type].bit_exact)
      result.warnings.push(`${type}: the two files do not hold the same numbers: ${models[type].changed.slice(0, 3).join("; ")}`);
    result.types[type].summary = summarize(result.types[type].rounds);
    for (const {halftone: one} of result.types[type].rounds) result.warnings.push(...one.warnings.filter((text) => !result.warnings.includes(text)));
  }
  fs.writeFileSync(options.output, JSON.stringify(result, null, 1) + "\n");

  console.log(`${result.machine.cpu}, ${options.threads} threads; halftone ${ours.isa}, ${ours.activations} activations; llama.cpp ${peer.release} (node-llama-cpp ${result.peer.version}, ${peer.build})`);
  console.log(`${options.rounds} rounds in turn, prompt ${options.promptTokens}, ${options.decodeTokens} decoded; median [lowest - highest]; ratios are of one round each`);
  for (const type of options.types) print(type, result.types[type].summary);
  console.log(`\na step of a model of almost nothing through node: ${(result.peer_empty_step_seconds * 1e3).toFixed(2)} ms, part of each decoded token of llama.cpp's column`);
  for (const warning of result.warnings) console.log(`warning: ${warning}`);
  console.log(`wrote ${options.output}`);
}

main().catch((error) => {
  note(`bench.mjs: ${(error.stderr ?? "") || error.message}`);
  process.exit(1);
});
