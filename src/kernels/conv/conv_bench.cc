// SPDX-License-Identifier: Apache-2.0
// Layers of small networks on one thread. Items are products; the limit is the machine's fma rate (halftone bench
// --machine).
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/aligned.h"
#include "base/rng.h"
#include "kernels/conv/conv.h"

namespace halftone {
namespace {

struct Layer {
  const char* name;
  int64_t pixels, taps, inputs, outputs;
  bool depthwise;
};
constexpr Layer kLayers[] = {
    {"pointwise_14x14_512_512", 196, 1, 512, 512, false}, {"pointwise_56x56_64_128", 3136, 1, 64, 128, false},
    {"general_56x56_3x3_64_64", 3136, 9, 64, 64, false},  {"general_7x7_3x3_512_512", 49, 9, 512, 512, false},
    {"first_112x112_3x3_3_32", 12544, 9, 3, 32, false},   {"depthwise_14x14_3x3_512", 196, 9, 1, 512, true},
    {"depthwise_112x112_3x3_32", 12544, 9, 1, 32, true}};

// Every pixel reads where its neighbour does, one number further: as near as images of a stride of 1 are.
void run_layer(benchmark::State& state, const Layer& layer, const ConvFunctions& functions) {
  const int64_t channels = layer.depthwise ? layer.outputs : layer.inputs, columns = layer.taps * layer.inputs;
  Rng rng(1);
  AlignedBuffer<float> x(static_cast<size_t>((layer.pixels + layer.taps) * channels)),
      y(static_cast<size_t>(layer.pixels * layer.outputs));
  AlignedBuffer<float> weights(static_cast<size_t>(conv_packed_floats(layer.outputs, columns)));
  for (size_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(rng.normal());
  for (size_t i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<float>(rng.normal());
  std::vector<const float*> from(static_cast<size_t>(layer.taps * kConvPixels));
  for (auto _ : state) {
    for (int64_t first = 0; first < layer.pixels; first += kConvPixels) {
      const int64_t count = layer.pixels - first < kConvPixels ? layer.pixels - first : kConvPixels;
      for (int64_t tap = 0; tap < layer.taps; ++tap)
        for (int64_t p = 0; p < count; ++p)
          from[static_cast<size_t>(tap * count + p)] = x.data() + (first + p + tap) * channels;
      const ConvArgs args{from.data(),    layer.taps, channels,      count,
                          weights.data(), nullptr,    layer.outputs, y.data() + first * layer.outputs,
                          layer.outputs};
      (layer.depthwise ? functions.depthwise : functions.general)(args);
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * layer.pixels * columns * layer.outputs);
}

// Every row of kernels.inc that this machine runs.
const int kRegistered = [] {
  int count = 0;
  const ConvKernels* const* all = conv_kernels(&count);
  for (const Isa isa : supported_isas())
    for (int i = 0; i < count; ++i)
      for (const Layer& layer : kLayers)
        if (all[i]->isa == isa)
          benchmark::RegisterBenchmark(
              (std::string(layer.name) + "_" + all[i]->name).c_str(),
              [&layer, functions = all[i]->run](benchmark::State& state) { run_layer(state, layer, functions); });
  return count;
}();

}  // namespace
}  // namespace halftone
