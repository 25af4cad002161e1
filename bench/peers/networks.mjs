// SPDX-License-Identifier: Apache-2.0
// halftone beside ONNX Runtime (onnxruntime-node) on the same .onnx files, process by process in turn: latency of one sample,
// and outputs on the same input. Without a word the networks of networks_models.mjs are made and measured, float and in 8 bits;
// with words these files are. Options are those of `defaults`, --like-this VALUE; --ours FILE measures an artifact of halftone
// against the peer's run of each file.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import {floatFile, input, integerFile, networks, sampleInput, write} from "./networks_models.mjs";
import {halftone, here, note, parseOptions, program, runPeer, spread} from "./shared.mjs";

const defaults = {
  rounds: 7,
  threads: os.availableParallelism(),
  seconds: 0.5,          // of measured runs of the peer in each round
  halftone: program,
  ours: "",              // what halftone runs instead of the peer's file
  activations: "",       // of halftone; empty: its default
  work: path.join(os.tmpdir(), "halftone-networks"),
  output: path.join(here, "networks.json"),
  allowNoisy: false
};

const peer = (file, settings) => runPeer("onnx_runtime.mjs", [file, JSON.stringify(settings)]);

// NumPy's own file format, which `halftone run` reads.
function npy(values, shape) {
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}), }`;
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const begin = Buffer.alloc(10);
  begin.write("\x93NUMPY\x01\x00", "latin1");
  begin.writeUInt16LE(header.length, 8);
  return Buffer.concat([begin, Buffer.from(header, "latin1"), Buffer.from(values.buffer, values.byteOffset, values.byteLength)]);
}
function readNpy(file) {
  const bytes = fs.readFileSync(file), begin = 10 + bytes.readUInt16LE(8);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset + begin, bytes.byteOffset + bytes.length));
}

async function prepare(options) {
  fs.mkdirSync(options.work, {recursive: true});
  const numbers = sampleInput(), raw = path.join(options.work, "x.f32");
  fs.writeFileSync(raw, Buffer.from(numbers.buffer));
  fs.writeFileSync(path.join(options.work, "x.npy"), npy(numbers, input.shape));
  const files = [];
  for (const [name, make] of Object.entries(networks)) {
    const float = path.join(options.work, `${name}.onnx`), integer = path.join(options.work, `${name}-int8.onnx`);
    files.push(float, integer);
    if (fs.existsSync(float) && fs.existsSync(integer)) continue;
    note(`make ${name}`);
    const layers = make(), shown = path.join(options.work, `${name}-all.onnx`);
    write(float, floatFile(layers));
    write(shown, floatFile(layers, true));
    const {ranges} = await peer(shown, {input: raw, ranges: true, threads: options.threads});
    fs.rmSync(shown);
    ranges.x = [numbers.reduce((a, b) => Math.min(a, b)), numbers.reduce((a, b) => Math.max(a, b))];
    write(integer, integerFile(layers, ranges));
  }
  return files;
}

// Of the first output: the largest difference over the largest number, and whether the largest is the same.
async function compareOutputs(options, file) {
  const theirs = path.join(options.work, "peer.f32"), results = path.join(options.work, "results");
  await peer(file, {input: path.join(options.work, "x.f32"), output: theirs, threads: options.threads});
  const report = JSON.parse(await halftone(options, "run", options.ours || file, "--input", path.join(options.work, "x.npy"), "--output", results,
                                           "--threads", `${options.threads}`, "--json", "-", ...activations(options))).results;
  const ours = readNpy(report.outputs[0].file), bytes = fs.readFileSync(theirs);
  const other = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  if (ours.length !== other.length) throw new Error(`${file}: expected ${other.length} numbers of both, got ${ours.length} of halftone`);
  const most = other.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const error = ours.reduce((a, b, i) => Math.max(a, Math.abs(b - other[i])), 0) / most;
  return {relative_error: error, same_largest: ours.indexOf(Math.max(...ours)) === other.indexOf(Math.max(...other))};
}

const activations = (options) => (options.activations === "" ? [] : ["--activations", options.activations]);

async function measureOurs(options, file) {
  const words = ["bench", options.ours || file, "--rounds", "1", "--threads", `${options.threads}`, "--json", "-", ...activations(options)];
  if (options.allowNoisy) words.push("--allow-noisy");
  const {models: [model], isa, warnings} = JSON.parse(await halftone(options, ...words)).results;
  return {seconds: model.latency.seconds.median, load_seconds: model.load_seconds, private_bytes: model.memory.peak_private_bytes, isa, warnings};
}

async function main() {
  const {options, words} = parseOptions(process.argv.slice(2), defaults);
  if (!fs.existsSync(options.halftone)) throw new Error(`${options.halftone}: expected the program; build it, or give --halftone PATH`);
  const made = await prepare(options), files = words.length > 0 ? words : made;
  const result = {command: ["node", "networks.mjs", ...process.argv.slice(2)].join(" "), date: new Date().toISOString(),
                  machine: {cpu: os.cpus()[0]?.model.trim(), cores: os.availableParallelism()}, settings: options, files: {}};
  for (const file of files) result.files[file] = {outputs: await compareOutputs(options, file), rounds: []};
  for (let round = 0; round < options.rounds; ++round)
    for (const file of files) {
      const entry = {};
      // Who is first changes every round, so that what follows a warm file or a warm core hits both.
      if (round % 2 === 0) entry.halftone = await measureOurs(options, file);
      entry.peer = await peer(file, {threads: options.threads, seconds: options.seconds});
      if (round % 2 === 1) entry.halftone = await measureOurs(options, file);
      result.files[file].rounds.push(entry);
    }
  console.log(`${result.machine.cpu}, ${options.threads} threads; onnxruntime-node ${result.files[files[0]].rounds[0].peer.version}; ${options.rounds} rounds in turn, one sample at a time; median [lowest - highest]`);
  console.log(`${"".padEnd(26)}${"halftone ms".padStart(22)}${"ONNX Runtime ms".padStart(22)}${"speed ratio".padStart(22)}${"error".padStart(10)}`);
  const show = ({median, low, high}, scale = 1) => `${(median * scale).toFixed(2)} [${(low * scale).toFixed(2)} - ${(high * scale).toFixed(2)}]`.padStart(22);
  for (const file of files) {
    const entry = result.files[file], {rounds, outputs} = entry;
    entry.summary = {halftone: spread(rounds.map((one) => one.halftone.seconds)), peer: spread(rounds.map((one) => one.peer.seconds)),
                     speed_ratio: spread(rounds.map((one) => one.peer.seconds / one.halftone.seconds))};
    const {halftone: ours, peer: theirs, speed_ratio: ratio} = entry.summary;
    console.log(path.basename(file, ".onnx").padEnd(26) + show(ours, 1e3) + show(theirs, 1e3) + show(ratio) + outputs.relative_error.toExponential(1).padStart(10));
  }
  fs.writeFileSync(options.output, JSON.stringify(result, null, 1) + "\n");
  console.log(`wrote ${options.output}`);
}

main().catch((error) => {
  note(`networks.mjs: ${(error.stderr ?? "") || error.message}`);
  process.exit(1);
});
