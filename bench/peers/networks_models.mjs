// SPDX-License-Identifier: Apache-2.0
// Networks of well-known shapes with random weights as .onnx files, for networks.mjs: float, and the same network in 8 bits
// (QuantizeLinear / DequantizeLinear, weights int8 per output, activations uint8 with ranges that ONNX Runtime's own float
// run gave). Weights have the variance that keeps activations of the scale of 1, as trained ones do.
import fs from "node:fs";

// ---- the few messages of ONNX that these files need

function varint(value) {
  const out = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  return Buffer.from([...out, Number(rest)]);
}
const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
function block(field, content) {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes]);
}
const types = {float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7};
const arrays = {float32: Float32Array, uint8: Uint8Array, int8: Int8Array, int32: Int32Array, int64: BigInt64Array};

function attribute(name, value) {
  if (Array.isArray(value))
    return Buffer.concat([block(1, name), ...value.map((one) => number(8, one)), number(20, 7)]);
  return Buffer.concat([block(1, name), number(3, value), number(20, 2)]);
}

function port(name, shape) {
  const sizes = Buffer.concat((shape ?? []).map((size) => block(1, number(1, size))));
  const tensor = Buffer.concat([number(1, types.float32), ...(shape ? [block(2, sizes)] : [])]);
  return Buffer.concat([block(1, name), block(2, block(1, tensor))]);
}

class Graph {
  nodes = [];
  constants = [];
  count = 0;

  constant(name, type, shape, values) {
    const data = arrays[type].from(values);
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    this.constants.push(Buffer.concat([...shape.map((size) => number(1, size)), number(2, types[type]), block(8, name), block(9, bytes)]));
    return name;
  }
  node(kind, inputs, output, attributes = {}) {
    this.nodes.push(Buffer.concat([...inputs.map((one) => block(1, one)), block(2, output), block(3, `node_${this.count++}`), block(4, kind),
                                   ...Object.entries(attributes).map(([key, value]) => block(5, attribute(key, value)))]));
    return output;
  }
  // `shown`: names of values that are outputs as well.
  bytes(input, outputs, shown = []) {
    const graph = Buffer.concat([...this.nodes.map((one) => block(1, one)), block(2, "network"), ...this.constants.map((one) => block(5, one)),
                                 block(11, port(input.name, input.shape)), ...outputs.map((one) => block(12, port(one.name, one.shape))),
                                 ...shown.map((name) => block(12, port(name)))]);
    return Buffer.concat([number(1, 8), block(2, "halftone"), block(8, number(2, 13)), block(7, graph)]);
  }
}

// ---- the networks, as layers of a neutral list

function random(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

class Layers {
  list = [];
  normal = random(1);

  weights(count, deviation) {
    return Float32Array.from({length: count}, () => this.normal() * deviation);
  }
  // activation: "relu", "relu6" or null
  conv(input, from, to, kernel, {stride = 1, groups = 1, activation = null, gain = 2} = {}) {
    const fan = (from / groups) * kernel * kernel;
    this.list.push({kind: "conv", input, output: `conv_${this.list.length}`, shape: [to, from / groups, kernel, kernel], stride, groups,
                    pad: kernel >> 1, activation, weight: this.weights(to * fan, Math.sqrt(gain / fan)), bias: this.weights(to, 0.1)});
    return this.list.at(-1).output;
  }
  add(a, b, activation) {
    this.list.push({kind: "add", input: a, other: b, output: `add_${this.list.length}`, activation});
    return this.list.at(-1).output;
  }
  pool(input, kind) { // kind: "max" (3x3, stride 2) or "mean" (of the image)
    this.list.push({kind, input, output: `${kind}_${this.list.length}`});
    return this.list.at(-1).output;
  }
  linear(input, from, to) {
    this.list.push({kind: "linear", input, output: "y", shape: [to, from], weight: this.weights(to * from, Math.sqrt(1 / from)),
                    bias: this.weights(to, 0.1)});
  }
}

function mobilenetV2() {
  const net = new Layers(), activation = "relu6";
  let x = net.conv("x", 3, 32, 3, {stride: 2, activation}), width = 32;
  for (const [expand, to, count, first] of [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]])
    for (let i = 0; i < count; ++i) {
      const inner = width * expand, stride = i === 0 ? first : 1, begin = x;
      if (expand > 1) x = net.conv(x, width, inner, 1, {activation});
      x = net.conv(x, inner, inner, 3, {stride, groups: inner, activation});
      x = net.conv(x, inner, to, 1, {gain: i === 0 ? 1 : 0.5});
      if (i > 0) x = net.add(begin, x, null);
      width = to;
    }
  x = net.conv(x, width, 1280, 1, {activation});
  net.linear(net.pool(x, "mean"), 1280, 1000);
  return net.list;
}

function resnet18() {
  const net = new Layers(), activation = "relu";
  let x = net.pool(net.conv("x", 3, 64, 7, {stride: 2, activation}), "max"), width = 64;
  for (const to of [64, 128, 256, 512])
    for (let i = 0; i < 2; ++i) {
      const stride = i === 0 && to !== 64 ? 2 : 1;
      const shortcut = to === width ? x : net.conv(x, width, to, 1, {stride, gain: 1});
      const inner = net.conv(x, width, to, 3, {stride, activation});
      x = net.add(net.conv(inner, to, to, 3, {gain: 0.5}), shortcut, activation);
      width = to;
    }
  net.linear(net.pool(x, "mean"), 512, 1000);
  return net.list;
}

export const networks = {"mobilenet-v2": mobilenetV2, "resnet-18": resnet18};
export const input = {name: "x", shape: [1, 3, 224, 224]};
const output = {name: "y", shape: [1, 1000]};

// ---- layers to files

const window = ({shape, stride, pad, groups}) =>
  ({kernel_shape: shape.slice(2), strides: [stride, stride], pads: [pad, pad, pad, pad], group: groups});
const maxWindow = {kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1]};

function floatActivation(graph, kind, from, to) {
  if (kind === null) return from;
  if (kind === "relu") return graph.node("Relu", [from], to);
  return graph.node("Clip", [from, "zero", "six"], to);
}

// `shown`: every layer's result is an output, too.
export function floatFile(layers, shown = false) {
  const graph = new Graph();
  graph.constant("zero", "float32", [], [0]);
  graph.constant("six", "float32", [], [6]);
  for (const layer of layers) {
    const {kind, output: name} = layer, before = layer.activation ? `${name}_before` : name;
    if (kind === "conv" || kind === "linear") {
      graph.constant(`${name}_weight`, "float32", layer.shape, layer.weight);
      graph.constant(`${name}_bias`, "float32", [layer.shape[0]], layer.bias);
    }
    if (kind === "conv") graph.node("Conv", [layer.input, `${name}_weight`, `${name}_bias`], before, window(layer));
    if (kind === "linear") {
      graph.node("Flatten", [layer.input], `${name}_flat`, {axis: 1});
      graph.node("Gemm", [`${name}_flat`, `${name}_weight`, `${name}_bias`], before, {transB: 1});
    }
    if (kind === "add") graph.node("Add", [layer.input, layer.other], before);
    if (kind === "max") graph.node("MaxPool", [layer.input], before, maxWindow);
    if (kind === "mean") graph.node("GlobalAveragePool", [layer.input], before);
    if (layer.activation) floatActivation(graph, layer.activation, before, name);
  }
  return graph.bytes(input, [output], shown ? layers.map((layer) => layer.output).filter((name) => name !== "y") : []);
}

// Scale and zero point of uint8 codes that hold [low, high] and 0.
function range(low, high) {
  const least = Math.min(low, 0), scale = Math.fround((Math.max(high, 0) - least) / 255 || 1);
  return {scale, zero: Math.round(-least / scale)};
}

// `ranges`: {name: [low, high]} of the input and of every layer's result. An activation is what the codes' range cuts off, so
// its node is left out, as ONNX Runtime's own quantizer does.
export function integerFile(layers, ranges) {
  const graph = new Graph(), codes = {};
  const scaled = (name, {scale, zero}) => {
    graph.constant(`${name}_scale`, "float32", [], [scale]);
    graph.constant(`${name}_zero`, "uint8", [], [zero]);
    graph.node("QuantizeLinear", [name, `${name}_scale`, `${name}_zero`], `${name}_codes`);
    graph.node("DequantizeLinear", [`${name}_codes`, `${name}_scale`, `${name}_zero`], `${name}_numbers`);
    codes[name] = {scale, zero};
  };
  const rangeOf = {};
  const give = (name, low, high) => scaled(name, (rangeOf[name] = range(low, high)));
  give("x", ...ranges.x);
  for (const layer of layers) {
    const {kind, output: name, activation} = layer;
    const raw = kind === "linear" ? "y_raw" : name;
    if (kind === "conv" || kind === "linear") {
      const [outputs] = layer.shape, fan = layer.weight.length / outputs, scales = new Float32Array(outputs);
      const weight = new Int8Array(layer.weight.length), bias = new Int32Array(outputs);
      for (let o = 0; o < outputs; ++o) {
        const row = layer.weight.subarray(o * fan, (o + 1) * fan);
        scales[o] = row.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-8) / 127;
        row.forEach((one, i) => (weight[o * fan + i] = Math.round(one / scales[o])));
        bias[o] = Math.round(layer.bias[o] / (rangeOf[layer.input].scale * scales[o]));
      }
      graph.constant(`${name}_weight_codes`, "int8", layer.shape, weight);
      graph.constant(`${name}_weight_scale`, "float32", [outputs], scales);
      graph.constant(`${name}_weight_zero`, "int8", [outputs], new Int8Array(outputs));
      graph.node("DequantizeLinear", [`${name}_weight_codes`, `${name}_weight_scale`, `${name}_weight_zero`], `${name}_weight`, {axis: 0});
      graph.constant(`${name}_bias_codes`, "int32", [outputs], bias);
      graph.constant(`${name}_bias_scale`, "float32", [outputs], scales.map((one) => Math.fround(one * rangeOf[layer.input].scale)));
      graph.constant(`${name}_bias_zero`, "int32", [outputs], new Int32Array(outputs));
      graph.node("DequantizeLinear", [`${name}_bias_codes`, `${name}_bias_scale`, `${name}_bias_zero`], `${name}_bias`, {axis: 0});
    }
    const from = `${layer.input}_numbers`;
    if (kind === "conv") graph.node("Conv", [from, `${name}_weight`, `${name}_bias`], raw, window(layer));
    if (kind === "linear") {
      graph.node("Flatten", [from], "flat", {axis: 1});
      scaled("flat", (rangeOf.flat = rangeOf[layer.input]));
      graph.node("Gemm", ["flat_numbers", `${name}_weight`, `${name}_bias`], raw, {transB: 1});
    }
    if (kind === "add") graph.node("Add", [from, `${layer.other}_numbers`], raw);
    if (kind === "max") graph.node("MaxPool", [from], raw, maxWindow);
    if (kind === "mean") graph.node("GlobalAveragePool", [from], raw);
    if (kind === "max") scaled(raw, (rangeOf[raw] = rangeOf[layer.input])); // takes its codes from its input
    else if (activation) give(raw, 0, activation === "relu6" ? Math.min(6, ranges[name][1]) : ranges[name][1]);
    else give(raw, ...ranges[name]);
  }
  graph.node("Identity", ["y_raw_numbers"], "y");
  return graph.bytes(input, [output]);
}

// The same numbers on every machine.
export function sampleInput(seed = 2) {
  const normal = random(seed);
  return Float32Array.from({length: input.shape.reduce((a, b) => a * b)}, normal);
}

export const write = (file, bytes) => (fs.writeFileSync(`${file}.part`, bytes), fs.renameSync(`${file}.part`, file));
