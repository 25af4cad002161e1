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

inline int lanes_left(int64_t channels, int64_t from) {
  return channels - from < kConvPanel ? static_cast<int>(channels - from) : static_cast<int>(kConvPanel);
}

template <int kPanels, int kPixels>
void general_tile(const ConvArgs& args, int64_t panel, int64_t pixel) {
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
    const float* x[kPixels];
#pragma GCC unroll 12
    for (int p = 0; p < kPixels; ++p) x[p] = args.from[run * args.pixels + pixel + p];
    for (int64_t i = 0; i < args.length; ++i, weights += kConvPanel) {
      Lanes w[kPanels];
#pragma GCC unroll 2
      for (int q = 0; q < kPanels; ++q) w[q] = load(weights + q * panel_floats);
#pragma GCC unroll 12
      for (int p = 0; p < kPixels; ++p) {
        const Lanes value = set(x[p][i]);
#pragma GCC unroll 2
        for (int q = 0; q < kPanels; ++q) acc[p][q] = fma(value, w[q], acc[p][q]);
      }
    }
  }
#pragma GCC unroll 12
  for (int p = 0; p < kPixels; ++p) {
#pragma GCC unroll 2
    for (int q = 0; q < kPanels; ++q) {
      const int64_t o = (panel + q) * kConvPanel;
      store_some(args.y + (pixel + p) * args.y_stride + o, acc[p][q], lanes_left(args.channels, o));
    }
  }
}

using ConvTileFn = void (*)(const ConvArgs&, int64_t, int64_t);

// Tiles of as equal heights as the pixels allow, for one panel after the other: its weights stay near.
template <int kPanels>
void general_panels(const ConvArgs& args, int64_t panel) {
  constexpr ConvTileFn kTiles[] = {
      general_tile<kPanels, 1>,  general_tile<kPanels, 2>, general_tile<kPanels, 3>, general_tile<kPanels, 4>,
      general_tile<kPanels, 5>,  general_tile<kPanels, 6>,
#ifdef HALFTONE_TALL_TILES
      general_tile<kPanels, 7>,  general_tile<kPanels, 8>, general_tile<kPanels, 9>, general_tile<kPanels, 10>,
      general_tile<kPanels, 11>, general_tile<kPanels, 12>
#endif
  };
  const int64_t tiles = (args.pixels + kTilePixels - 1) / kTilePixels;
  int64_t pixel = 0;
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t count = (args.pixels - pixel + tiles - i - 1) / (tiles - i);
    kTiles[count - 1](args, panel, pixel);
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
  for (int p = 0; p < kPixels; ++p) {
    float* y = args.y + (pixel + p) * args.y_stride + c;
    if constexpr (kWhole)
      store(y, acc[p]);
    else
      store_some(y, acc[p], count);
  }
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

}  // namespace
}  // namespace halftone
