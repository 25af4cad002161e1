// SPDX-License-Identifier: Apache-2.0
// One process, one measurement of one .onnx file through onnxruntime-node; prints one line of JSON.
//   node onnx_runtime.mjs MODEL.onnx '{"threads":2,"seconds":0.5}'      latency: mean of the runs of so many seconds
//   node onnx_runtime.mjs MODEL.onnx '{"input":"x.f32","output":"y.f32"}'  its outputs on a sample, f32 as they lie in memory
//   node onnx_runtime.mjs MODEL.onnx '{"input":"x.f32","ranges":true}'     least and most of every output
import fs from "node:fs";
import ort from "onnxruntime-node";

import {input, sampleInput} from "./networks_models.mjs";

const seconds = () => Number(process.hrtime.bigint()) / 1e9;
const [file, text] = process.argv.slice(2);
const settings = {threads: 2, seconds: 0.5, ...JSON.parse(text ?? "{}")};

const begin = seconds();
const session = await ort.InferenceSession.create(file, {intraOpNumThreads: settings.threads, interOpNumThreads: 1, executionMode: "sequential",
                                                         graphOptimizationLevel: "all", executionProviders: ["cpu"]});
const result = {load_seconds: seconds() - begin, version: ort.env.versions.node};
const numbers = settings.input ? new Float32Array(fs.readFileSync(settings.input).buffer.slice(0)) : sampleInput();
const feeds = {[session.inputNames[0]]: new ort.Tensor("float32", numbers.slice(0, numbers.length), input.shape)};

if (settings.ranges) {
  const outputs = await session.run(feeds);
  result.ranges = Object.fromEntries(Object.entries(outputs).map(([name, {data}]) => {
    let low = Infinity, high = -Infinity;
    for (const one of data) low = Math.min(low, one), high = Math.max(high, one);
    return [name, [low, high]];
  }));
} else if (settings.output) {
  const {data} = (await session.run(feeds))[session.outputNames[0]];
  fs.writeFileSync(settings.output, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
} else {
  for (let i = 0; i < 5; ++i) await session.run(feeds);
  let runs = 0;
  const start = seconds();
  do await session.run(feeds), ++runs;
  while (seconds() - start < settings.seconds);
  result.seconds = (seconds() - start) / runs;
}
process.stdout.write(JSON.stringify(result) + "\n");
