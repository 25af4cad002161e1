// SPDX-License-Identifier: Apache-2.0
// Convolutions on 16 lanes, once for every ISA: each ISA's file names its lanes in HALFTONE_LANES and includes this.
// A tile of outputs (pixels times panels) stays in registers from the bias to the last number of the window.
#pragma once

#include HALFTONE_LANES

#include "kernels/conv/conv_args.h"

namespace halftone {
namespace {

// What registers hold beside one panel's weights and one number of x.
constexpr int kTilePanels = kLanesInRegisters >= 32 ? 2 : 1;
constexpr int kTilePixels = kLanesInRegisters >= 32 ? 12 : 6;

// Floats: what comes from beyond L2 stops tiles otherwise, most of all where a page begins.
constexpr int64_t kWeightsAhead = 48 * kConvPanel;

inline int lanes_left(int64_t channels, int64_t from) {
  return channels - from < kConvPanel ? static_cast<int>(channels - from) : static_cast<int>(kConvPanel);
}

// The end of a sum: what is added, and the limits.
inline Lanes ended(const ConvArgs& args, Lanes sum, int64_t at, int count) {
  if (args.added != nullptr) sum = add(sum, load_some(args.added + at, count));
  const Lanes least = set(args.least), most = set(args.most);
  sum = choose_if_less(sum, least, least, sum);
  return choose_if_less(most, sum, most, sum);
}
inline void store_sum(const ConvArgs& args, Lanes sum, int64_t at, int count) {
  store_some(args.y + at, ended(args, sum, at, count), count);
}

// Where the pixels of a tile read. Of pixels that lie in step 4 share an address, so that all stay in registers.
template <int kPixels, bool kSteps>
struct Readers {
  const float* x[kPixels];
  int64_t i;
  Readers(const ConvArgs& args, int64_t run, int64_t pixel, int64_t) : i(0) {
#pragma GCC unroll 12
    for (int p = 0; p < kPixels; ++p) x[p] = args.from[run * args.pixels + pixel + p];
  }
  inline float at(int p) const { return x[p][i]; }
  inline void next() { ++i; }
};
template <int kPixels>
struct Readers<kPixels, true> {
  static constexpr int kGroups = (kPixels + 3) / 4;
  const float* x[kGroups];
  int64_t step, step3;
  Readers(const ConvArgs& args, int64_t run, int64_t pixel, int64_t step) : step(step), step3(3 * step) {
    const float* first = args.step != 0 ? args.from[run] + pixel * args.step : args.from[run * args.pixels + pixel];
#pragma GCC unroll 3
    for (int g = 0; g < kGroups; ++g) x[g] = first + 4 * g * step;
    __asm__("" : "+r"(step3));
  }
  inline float at(int p) const { return x[p / 4][p % 4 == 3 ? step3 : p % 4 * step]; }
  inline void next() {
#pragma GCC unroll 3
    for (int g = 0; g < kGroups; ++g) {
      ++x[g];
      __asm__("" : "+r"(x[g]));  // else the compiler makes an address of every pixel
    }
  }
};

template <int kPanels, int kPixels, bool kSteps>
void general_tile(const ConvArgs& args, int64_t panel, int64_t pixel, int64_t step) {
  const int64_t panel_floats = args.runs * args.length * kConvPanel;
  const float* weights = args.weights + panel * panel_floats;
  Lanes acc[kPixels][kPanels];
#pragma GCC unroll 2
  for (int q = 0; q < kPanels; ++q) {
    const int64_t o = (panel + q) * kConvPanel;
    const Lanes start = args.bias == nullptr ? set(0) : load_some(args.bias + o, lanes_left(args.channels, o));
#pragma GCC unroll 12
    for (int p = 0; p < kPixels; ++p) acc[p][q] = start;
  }
  for (int64_t run = 0; run < args.runs; ++run) {
    Readers<kPixels, kSteps> x(args, run, pixel, step);
    for (int64_t i = 0; i < args.length; ++i, weights += kConvPanel) {
      Lanes w[kPanels];
#pragma GCC unroll 2
      for (int q = 0; q < kPanels; ++q) {
        w[q] = load(weights + q * panel_floats);
        __builtin_prefetch(weights + q * panel_floats + kWeightsAhead);
      }
#pragma GCC unroll 12
      for (int p = 0; p < kPixels; ++p) {
        const Lanes value = set(x.at(p));
#pragma GCC unroll 2
        for (int q = 0; q < kPanels; ++q) acc[p][q] = fma(value, w[q], acc[p][q]);
      }
      x.next();
    }
  }
#pragma GCC unroll 12
  for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 2
    for (int q = 0; q < kPanels; ++q) {
      const int64_t o = (panel + q) * kConvPanel;
      store_sum(args, acc[p][q], (pixel + p) * args.y_stride + o, lanes_left(args.channels, o));
    }
  }
}

// How far apart the runs of `count` pixels begin, or -1: not in step.
inline int64_t step_of(const ConvArgs& args, int64_t pixel, int64_t count) {
  if (args.step != 0 || count == 1) return args.step;
  const float* const* from = args.from + pixel;
  const int64_t step = from[1] - from[0];
  if (step < 0) return -1;
  for (int64_t run = 0; run < args.runs; ++run, from += args.pixels)
    for (int64_t p = 1; p < count; ++p)
      if (from[p] - from[p - 1] != step) return -1;
  return step;
}

using ConvTileFn = void (*)(const ConvArgs&, int64_t, int64_t, int64_t);
template <int kPanels, bool kSteps>
constexpr ConvTileFn kConvTiles[] = {
    general_tile<kPanels, 1, kSteps>,  general_tile<kPanels, 2, kSteps>,  general_tile<kPanels, 3, kSteps>,
    general_tile<kPanels, 4, kSteps>,  general_tile<kPanels, 5, kSteps>,  general_tile<kPanels, 6, kSteps>,
#ifdef HALFTONE_TALL_TILES
    general_tile<kPanels, 7, kSteps>,  general_tile<kPanels, 8, kSteps>,  general_tile<kPanels, 9, kSteps>,
    general_tile<kPanels, 10, kSteps>, general_tile<kPanels, 11, kSteps>, general_tile<kPanels, 12, kSteps>,
#endif
};

// Tiles of as equal heights as the pixels allow, for one panel after the other: its weights stay near.
template <int kPanels>
void general_panels(const ConvArgs& args, int64_t panel) {
  const int64_t tiles = (args.pixels + kTilePixels - 1) / kTilePixels;
  int64_t pixel = 0;
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t count = (args.pixels - pixel + tiles - i - 1) / (tiles - i);
    const int64_t step = step_of(args, pixel, count);
    const ConvTileFn tile = step < 0 ? kConvTiles<kPanels, false>[count - 1] : kConvTiles<kPanels, true>[count - 1];
    tile(args, panel, pixel, step);
    pixel += count;
  }
}

void conv_general(const ConvArgs& args) {
  const int64_t panels = (args.channels + kConvPanel - 1) / kConvPanel;
  int64_t panel = 0;
  for (; panel + kTilePanels <= panels; panel += kTilePanels) general_panels<kTilePanels>(args, panel);
  for (; panel < panels; ++panel) general_panels<1>(args, panel);
}

// Channels are the lanes; a few pixels at a time share the weights.
template <int kPixels, bool kWhole>
inline void depthwise_tile(const ConvArgs& args, int64_t panel, int64_t pixel) {
  const int64_t c = panel * kConvPanel;
  const int count = kWhole ? static_cast<int>(kConvPanel) : lanes_left(args.channels, c);
  const float* weights = args.weights + panel * args.runs * kConvPanel;
  Lanes acc[kPixels];
#pragma GCC unroll 4
  for (int p = 0; p < kPixels; ++p) acc[p] = args.bias == nullptr ? set(0) : load_some(args.bias + c, count);
  for (int64_t run = 0; run < args.runs; ++run, weights += kConvPanel) {
    const Lanes w = load(weights);
    const float* const* x = args.from + run * args.pixels + pixel;
#pragma GCC unroll 4
    for (int p = 0; p < kPixels; ++p) acc[p] = fma(kWhole ? load(x[p] + c) : load_some(x[p] + c, count), w, acc[p]);
  }
#pragma GCC unroll 4
  for (int p = 0; p < kPixels; ++p) store_sum(args, acc[p], (pixel + p) * args.y_stride + c, count);
}

template <bool kWhole>
inline void depthwise_panel(const ConvArgs& args, int64_t panel) {
  int64_t pixel = 0;
  for (; pixel + 4 <= args.pixels; pixel += 4) depthwise_tile<4, kWhole>(args, panel, pixel);
  for (; pixel < args.pixels; ++pixel) depthwise_tile<1, kWhole>(args, panel, pixel);
}

void conv_depthwise(const ConvArgs& args) {
  const int64_t whole = args.channels / kConvPanel;
  for (int64_t panel = 0; panel < whole; ++panel) depthwise_panel<true>(args, panel);
  if (args.channels % kConvPanel != 0) depthwise_panel<false>(args, whole);
}

// Every column is read once for all the pixels that it belongs to; ascending columns are ascending taps of each.
template <int kKernel, int kStride, int kPixels>
inline void row_tile(const ConvRowArgs& args, int64_t panel, int64_t pixel) {
  const ConvArgs& rest = args.rest;
  const int64_t c = panel * kConvPanel, columns = (args.pixels - 1) * kStride + kKernel;
  const int count = lanes_left(rest.channels, c);
  const float* weights = rest.weights + panel * args.rows * kKernel * kConvPanel;
  Lanes acc[kPixels];
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) acc[p] = rest.bias == nullptr ? set(0) : load_some(rest.bias + c, count);
  for (int64_t row = 0; row < args.rows; ++row, weights += kKernel * kConvPanel) {
    const float* const* from = args.from + row * columns + pixel * kStride;
    Lanes w[kKernel];
#pragma GCC unroll 5
    for (int k = 0; k < kKernel; ++k) w[k] = load(weights + k * kConvPanel);
#pragma GCC unroll 19
    for (int j = 0; j < (kPixels - 1) * kStride + kKernel; ++j) {
      const Lanes x = load_some(from[j] + c, count);
#pragma GCC unroll 8
      for (int p = 0; p < kPixels; ++p)
        if (j >= p * kStride && j < p * kStride + kKernel) acc[p] = fma(x, w[j - p * kStride], acc[p]);
    }
  }
#pragma GCC unroll 8
  for (int p = 0; p < kPixels; ++p) store_sum(rest, acc[p], (pixel + p) * rest.y_stride + c, count);
}

template <int kKernel, int kStride>
void row_panels(const ConvRowArgs& args) {
  constexpr int kTogether = kLanesInRegisters >= 32 ? 8 : 4;
  for (int64_t panel = 0; panel * kConvPanel < args.rest.channels; ++panel) {
    int64_t pixel = 0;
    for (; pixel + kTogether <= args.pixels; pixel += kTogether)
      row_tile<kKernel, kStride, kTogether>(args, panel, pixel);
    if (pixel + kTogether / 2 <= args.pixels) {
      row_tile<kKernel, kStride, kTogether / 2>(args, panel, pixel);
      pixel += kTogether / 2;
    }
    for (; pixel < args.pixels; ++pixel) row_tile<kKernel, kStride, 1>(args, panel, pixel);
  }
}

void conv_end(const ConvArgs& args) {
  for (int64_t pixel = 0; pixel < args.pixels; ++pixel) {
    for (int64_t c = 0; c < args.channels; c += kConvPanel) {
      const int count = lanes_left(args.channels, c);
      const int64_t at = pixel * args.y_stride + c;
      Lanes sum = load_some(args.y + at, count);
      if (args.bias != nullptr) sum = add(sum, load_some(args.bias + c, count));
      store_sum(args, sum, at, count);
    }
  }
}

void conv_depthwise_row(const ConvRowArgs& args) {
  if (args.kernel == 3) return args.stride == 1 ? row_panels<3, 1>(args) : row_panels<3, 2>(args);
  return args.stride == 1 ? row_panels<5, 1>(args) : row_panels<5, 2>(args);
}

}  // namespace
}  // namespace halftone
