// SPDX-License-Identifier: Apache-2.0
// int4_channel, int4_block32: scales, then codes [k / 8][16 rows] dwords; byte j holds k + j in its low nibble and k +
// 4 + j in its high one, code = q + 8.
#include "base/error.h"
#include "tensor/layouts/layouts.h"

namespace halftone {
namespace {

constexpr int kInt4Offset = 8;

int64_t byte_index(int64_t k, int r) { return k / 8 * (kPanelRows * 4) + r * 4 + k % 4; }

template <const Layout& kLayout>
void pack_int4(const PanelSource& source, std::span<std::byte> panel) {
  pack_scales(kLayout, source, panel);
  std::byte* codes = panel.data() + kLayout.scale_bytes(source.columns);
  for (int r = 0; r < kPanelRows; ++r) {
    const int8_t* row = source.codes + r * source.columns;
    const auto code = [&](int64_t k) {
      const int q = k < source.columns ? row[k] : 0;
      HALFTONE_CHECK(q >= -kInt4Offset && q < kInt4Offset);
      return q + kInt4Offset;
    };
    for (int64_t block = 0; block < source.columns; block += kCodeColumns) {
      for (int64_t k = block; k < block + 4; ++k) {
        codes[byte_index(k, r)] = static_cast<std::byte>(code(k) | code(k + 4) << 4);
      }
    }
  }
}

template <const Layout& kLayout>
void decode_int4(std::span<const std::byte> panel, int r, int64_t columns, float* out) {
  const std::byte* codes = panel.data() + kLayout.scale_bytes(columns);
  const int64_t group_columns = kLayout.group == 0 ? columns : kLayout.group;
  for (int64_t begin = 0; begin < columns; begin += group_columns) {
    const float scale = scale_at(panel, begin / group_columns, r);
    const int64_t end = begin + group_columns < columns ? begin + group_columns : columns;
    for (int64_t k = begin; k < end; ++k) {
      const int code = static_cast<int>(codes[byte_index(k, r)]) >> (k & 4) & 15;
      out[k] = static_cast<float>(code - kInt4Offset) * scale;
    }
  }
}

}  // namespace

const Layout kLayoutInt4Channel = {"int4_channel",
                                   LayoutId::int4_channel,
                                   4,
                                   0,
                                   kInt4Offset,
                                   -7,
                                   7,
                                   pack_int4<kLayoutInt4Channel>,
                                   decode_int4<kLayoutInt4Channel>};
const Layout kLayoutInt4Block32 = {"int4_block32",
                                   LayoutId::int4_block32,
                                   4,
                                   32,
                                   kInt4Offset,
                                   -7,
                                   7,
                                   pack_int4<kLayoutInt4Block32>,
                                   decode_int4<kLayoutInt4Block32>};

}  // namespace halftone
