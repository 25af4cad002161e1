// SPDX-License-Identifier: Apache-2.0
// int8_channel, int8_block32: scales, then codes [k / 4][16 rows][4], code = q + 128.
#include "base/error.h"
#include "tensor/layouts/layouts.h"

namespace halftone {
namespace {

constexpr int kInt8Offset = 128;

int64_t code_index(int64_t k, int r) { return k / 4 * (kPanelRows * 4) + r * 4 + k % 4; }

template <const Layout& kLayout>
void pack_int8(const PanelSource& source, std::span<std::byte> panel) {
  pack_scales(kLayout, source, panel);
  std::byte* codes = panel.data() + kLayout.scale_bytes(source.columns);
  for (int r = 0; r < kPanelRows; ++r) {
    const int8_t* row = source.codes + r * source.columns;
    for (int64_t k = 0; k < round_up(source.columns, kCodeColumns); ++k) {
      const int q = k < source.columns ? row[k] : 0;
      codes[code_index(k, r)] = static_cast<std::byte>(q + kInt8Offset);
    }
  }
}

template <const Layout& kLayout>
void decode_int8(std::span<const std::byte> panel, int r, int64_t columns, float* out) {
  const std::byte* codes = panel.data() + kLayout.scale_bytes(columns);
  const int64_t group_columns = kLayout.group == 0 ? columns : kLayout.group;
  for (int64_t begin = 0; begin < columns; begin += group_columns) {
    const float scale = scale_at(panel, begin / group_columns, r);
    const int64_t end = begin + group_columns < columns ? begin + group_columns : columns;
    for (int64_t k = begin; k < end; ++k) {
      out[k] = static_cast<float>(static_cast<int>(codes[code_index(k, r)]) - kInt8Offset) * scale;
    }
  }
}

}  // namespace

const Layout kLayoutInt8Channel = {"int8_channel",
                                   LayoutId::int8_channel,
                                   8,
                                   0,
                                   kInt8Offset,
                                   -127,
                                   127,
                                   pack_int8<kLayoutInt8Channel>,
                                   decode_int8<kLayoutInt8Channel>};
const Layout kLayoutInt8Block32 = {"int8_block32",
                                   LayoutId::int8_block32,
                                   8,
                                   32,
                                   kInt8Offset,
                                   -127,
                                   127,
                                   pack_int8<kLayoutInt8Block32>,
                                   decode_int8<kLayoutInt8Block32>};

}  // namespace halftone
