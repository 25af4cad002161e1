// SPDX-License-Identifier: Apache-2.0
// Integer panels: scales (and bases) or palettes, then codes. Codes are stored unsigned, q + offset, in units of 4
// kQuads columns: byte j of a row's dwords holds the columns j, j + 4, j + 8, ... of the unit, kQuads codes in kBytes
// bytes, which lie 64 bytes apart. What a policy below does to bytes, kernels do to whole vectors of them.
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/layouts/layouts.h"

namespace halftone {
namespace {

constexpr int64_t kVectorBytes = kPanelRows * 4;

struct EightBits {
  static constexpr int kQuads = 2, kBytes = 2;
  static void pack(const uint8_t* codes, uint8_t* bytes) { bytes[0] = codes[0], bytes[1] = codes[1]; }
  static void unpack(const uint8_t* bytes, uint8_t* codes) { codes[0] = bytes[0], codes[1] = bytes[1]; }
};

struct OneBit {
  static constexpr int kQuads = 8, kBytes = 1;
  static void pack(const uint8_t* codes, uint8_t* bytes) {
    bytes[0] = 0;
    for (int i = 0; i < 8; ++i) bytes[0] = static_cast<uint8_t>(bytes[0] | codes[i] << i);
  }
  static void unpack(const uint8_t* bytes, uint8_t* codes) {
    for (int i = 0; i < 8; ++i) codes[i] = bytes[0] >> i & 1;
  }
};

struct TwoBits {
  static constexpr int kQuads = 4, kBytes = 1;
  static void pack(const uint8_t* codes, uint8_t* bytes) {
    bytes[0] = static_cast<uint8_t>(codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6);
  }
  static void unpack(const uint8_t* bytes, uint8_t* codes) {
    for (int i = 0; i < 4; ++i) codes[i] = bytes[0] >> 2 * i & 3;
  }
};

struct FourBits {
  static constexpr int kQuads = 2, kBytes = 1;
  static void pack(const uint8_t* codes, uint8_t* bytes) { bytes[0] = static_cast<uint8_t>(codes[0] | codes[1] << 4); }
  static void unpack(const uint8_t* bytes, uint8_t* codes) { codes[0] = bytes[0] & 15, codes[1] = bytes[0] >> 4; }
};

// Three codes in the low bits of three bytes; the fourth has two of its bits at the top of each.
struct SixBits {
  static constexpr int kQuads = 4, kBytes = 3;
  static void pack(const uint8_t* codes, uint8_t* bytes) {
    for (int i = 0; i < 3; ++i) bytes[i] = static_cast<uint8_t>(codes[i] | (codes[3] >> 2 * i & 3) << 6);
  }
  static void unpack(const uint8_t* bytes, uint8_t* codes) {
    for (int i = 0; i < 3; ++i) codes[i] = bytes[i] & 63;
    codes[3] = static_cast<uint8_t>(bytes[0] >> 6 | bytes[1] >> 6 << 2 | bytes[2] >> 6 << 4);
  }
};

// Five codes in the low bits of five bytes; the other three in their upper three bits: 5 from bytes 0 and 1, 6 from
// bytes 2 and 3, and 7 from byte 4 and the bits that are left of bytes 1 and 3.
struct FiveBits {
  static constexpr int kQuads = 8, kBytes = 5;
  static void pack(const uint8_t* codes, uint8_t* bytes) {
    const int upper[5] = {codes[5] & 7, codes[5] >> 3 | (codes[7] >> 3 & 1) << 2, codes[6] & 7,
                          codes[6] >> 3 | codes[7] >> 4 << 2, codes[7] & 7};
    for (int i = 0; i < 5; ++i) bytes[i] = static_cast<uint8_t>(codes[i] | upper[i] << 5);
  }
  static void unpack(const uint8_t* bytes, uint8_t* codes) {
    for (int i = 0; i < 5; ++i) codes[i] = bytes[i] & 31;
    codes[5] = static_cast<uint8_t>(bytes[0] >> 5 | (bytes[1] >> 5 & 3) << 3);
    codes[6] = static_cast<uint8_t>(bytes[2] >> 5 | (bytes[3] >> 5 & 3) << 3);
    codes[7] = static_cast<uint8_t>(bytes[4] >> 5 | bytes[1] >> 7 << 3 | bytes[3] >> 7 << 4);
  }
};

// Two codes are one of six bits.
struct ThreeBits {
  static constexpr int kQuads = 8, kBytes = 3;
  static void pack(const uint8_t* codes, uint8_t* bytes) {
    uint8_t pairs[4];
    for (int i = 0; i < 4; ++i) pairs[i] = static_cast<uint8_t>(codes[2 * i] | codes[2 * i + 1] << 3);
    SixBits::pack(pairs, bytes);
  }
  static void unpack(const uint8_t* bytes, uint8_t* codes) {
    uint8_t pairs[4];
    SixBits::unpack(bytes, pairs);
    for (int i = 0; i < 4; ++i) codes[2 * i] = pairs[i] & 7, codes[2 * i + 1] = pairs[i] >> 3;
  }
};

void pack_halves(const uint16_t* from, int64_t groups, int64_t group, std::byte* to) {
  for (int r = 0; r < kPanelRows; ++r) std::memcpy(to + 2 * r, from + r * groups + group, 2);
}

void pack_bytes(const uint8_t* from, int64_t groups, int64_t group, std::byte* to) {
  for (int r = 0; r < kPanelRows; ++r) to[r] = static_cast<std::byte>(from[r * groups + group]);
}

void pack_scales(const Layout& layout, const PanelSource& source, std::span<std::byte> panel) {
  const int64_t groups = layout.groups(source.columns), count = layout.scale_count(source.columns);
  HALFTONE_CHECK(static_cast<int64_t>(panel.size()) == layout.panel_bytes(source.columns));
  std::memset(panel.data(), 0, static_cast<size_t>(layout.scale_bytes(source.columns)));
  if (layout.palette_bytes() > 0)  // a palette of the whole tensor lies before its panels
    std::memcpy(panel.data(), source.palettes, static_cast<size_t>(layout.palette_bytes()));
  for (int64_t i = 0; i < count; ++i) {
    pack_halves(source.scales, count, i, panel.data() + layout.scale_at(i, 0));
    if (layout.affine) pack_halves(source.bases, count, i, panel.data() + layout.base_at(i, 0));
  }
  for (int64_t group = 0; layout.is_nested() && group < groups; ++group) {
    pack_bytes(source.sub_scales, groups, group, panel.data() + layout.sub_scale_at(group, 0));
    if (layout.affine) pack_bytes(source.sub_bases, groups, group, panel.data() + layout.sub_base_at(group, 0));
  }
}

// A code of kVector rows is that of a row of a panel with 16 / kVector rows; kVector quads of each of these lie where
// the dwords of as many rows would.
template <class Bits, int kVector = 1>
void pack_integers(const Layout& layout, const PanelSource& source, std::span<std::byte> panel) {
  constexpr int64_t kRows = kPanelRows / kVector, kUnit = int64_t{4} * Bits::kQuads * kVector;
  pack_scales(layout, source, panel);
  std::byte* unit = panel.data() + layout.scale_bytes(source.columns);
  for (int64_t begin = 0; begin < source.columns; begin += kUnit, unit += Bits::kBytes * kVectorBytes) {
    for (int64_t lane = 0; lane < kVectorBytes; ++lane) {
      const int8_t* row = source.codes + lane / 4 % kRows * kVector * source.columns;
      uint8_t codes[Bits::kQuads], bytes[Bits::kBytes];
      for (int quad = 0; quad < Bits::kQuads; ++quad) {
        const int64_t k = begin + 4 * (quad * kVector + lane / 4 / kRows) + lane % 4;
        const int q = k < source.columns ? row[k] : 0;
        HALFTONE_CHECK(q >= -layout.offset && q < layout.offset);
        for (int64_t i = 1; i < kVector && k < source.columns; ++i) HALFTONE_CHECK(row[i * source.columns + k] == q);
        codes[quad] = static_cast<uint8_t>(q + layout.offset);
      }
      Bits::pack(codes, bytes);
      for (int i = 0; i < Bits::kBytes; ++i) unit[i * kVectorBytes + lane] = static_cast<std::byte>(bytes[i]);
    }
  }
}

// body(k, stored code) of each column of row r.
template <class Bits, int kVector = 1, class Body>
void for_each_code(const Layout& layout, std::span<const std::byte> panel, int r, int64_t columns, const Body& body) {
  constexpr int64_t kRows = kPanelRows / kVector, kUnit = int64_t{4} * Bits::kQuads * kVector;
  const std::byte* unit = panel.data() + layout.scale_bytes(columns) + r / kVector * 4;
  for (int64_t begin = 0; begin < columns; begin += kUnit, unit += Bits::kBytes * kVectorBytes) {
    for (int64_t beside = 0; beside < kVector; ++beside) {
      for (int64_t j = 0; j < 4; ++j) {
        uint8_t codes[Bits::kQuads], bytes[Bits::kBytes];
        for (int i = 0; i < Bits::kBytes; ++i)
          bytes[i] = static_cast<uint8_t>(unit[i * kVectorBytes + beside * kRows * 4 + j]);
        Bits::unpack(bytes, codes);
        const int64_t first = begin + 4 * beside + j;
        for (int64_t quad = 0; quad < Bits::kQuads && first + 4 * kVector * quad < columns; ++quad)
          body(first + 4 * kVector * quad, static_cast<int>(codes[quad]));
      }
    }
  }
}

template <class Bits, int kVector = 1>
void unpack_integers(const Layout& layout, std::span<const std::byte> panel, int r, int64_t columns, int8_t* out) {
  for_each_code<Bits, kVector>(layout, panel, r, columns,
                               [&](int64_t k, int code) { out[k] = static_cast<int8_t>(code - layout.offset); });
}

template <class Bits>
void decode_integers(const Layout& layout, std::span<const std::byte>, std::span<const std::byte> panel, int r,
                     int64_t columns, float* out) {
  const int zero = layout.affine ? 0 : layout.offset;
  for_each_code<Bits>(layout, panel, r, columns,
                      [&](int64_t k, int code) { out[k] = static_cast<float>(code - zero); });
  const int64_t width = layout.group == 0 ? columns : layout.group;
  for (int64_t begin = 0; begin < columns; begin += width) {
    const int64_t group = begin / width, end = begin + width < columns ? begin + width : columns;
    const float scale = layout.scale_of(panel, group, r);
    if (layout.affine) {
      const float base = layout.base_of(panel, group, r);
      for (int64_t k = begin; k < end; ++k) out[k] = std::fma(out[k], scale, base);
    } else {
      for (int64_t k = begin; k < end; ++k) out[k] *= scale;
    }
  }
}

template <class Bits, int kVector = 1>
void decode_palette(const Layout& layout, std::span<const std::byte> palettes, std::span<const std::byte> panel, int r,
                    int64_t columns, float* out) {
  HALFTONE_CHECK(static_cast<int64_t>(palettes.size()) >= 2 * layout.numbers());
  const float scale = layout.scaled ? half_at(panel, layout.scale_at(0, r)) : 1.0f;
  float values[256];
  for (int u = 0; u < layout.entries(); ++u) values[u] = half_at(palettes, layout.entry_at(u, r)) * scale;
  for_each_code<Bits, kVector>(layout, panel, r, columns, [&](int64_t k, int code) { out[k] = values[code]; });
}

enum class Kind : uint8_t { symmetric, affine, nested_symmetric, nested_affine };

template <class Bits>
constexpr Layout integer_layout(std::string_view name, LayoutId id, int bits, int group, Kind kind) {
  const int offset = 1 << (bits - 1);
  const bool affine = kind == Kind::affine || kind == Kind::nested_affine;
  const bool nested = kind == Kind::nested_symmetric || kind == Kind::nested_affine;
  return {name,
          id,
          bits,
          group,
          affine,
          nested ? 256 : 0,
          offset,
          affine ? -offset : 1 - offset,
          offset - 1,
          4 * Bits::kQuads,
          -1,
          false,
          pack_integers<Bits>,
          decode_integers<Bits>,
          unpack_integers<Bits>};
}

enum class Palette : uint8_t { plain, scaled };

template <class Bits, int kVector = 1>
constexpr Layout palette_layout(std::string_view name, LayoutId id, int bits, int rows, Palette kind) {
  const int offset = 1 << (bits - 1);
  return {name,
          id,
          bits,
          0,
          false,
          0,
          offset,
          -offset,
          offset - 1,
          4 * Bits::kQuads * kVector,
          rows,
          kind == Palette::scaled,
          pack_integers<Bits, kVector>,
          decode_palette<Bits, kVector>,
          unpack_integers<Bits, kVector>,
          kVector};
}

template <int kBits>
struct BitsOf;
template <>
struct BitsOf<1> : OneBit {};
template <>
struct BitsOf<2> : TwoBits {};
template <>
struct BitsOf<3> : ThreeBits {};
template <>
struct BitsOf<4> : FourBits {};
template <>
struct BitsOf<5> : FiveBits {};
template <>
struct BitsOf<6> : SixBits {};
template <>
struct BitsOf<8> : EightBits {};

}  // namespace

#define HALFTONE_LAYOUT_ROW(with, name, bits, group, kind) \
  integer_layout<BitsOf<bits>>(#name, LayoutId::name, bits, group, Kind::kind),
#define HALFTONE_PALETTE_ROW(with, name, bits, rows, kind) \
  palette_layout<BitsOf<bits>>(#name, LayoutId::name, bits, rows, Palette::kind),
#define HALFTONE_VECTOR_ROW(with, name, bits, vector, rows, kind) \
  palette_layout<BitsOf<bits>, vector>(#name, LayoutId::name, bits, rows, Palette::kind),
constinit const Layout kIntegerLayouts[kIntegerLayoutCount] = {HALFTONE_INTEGER_LAYOUTS(HALFTONE_LAYOUT_ROW, )
                                                                   HALFTONE_PALETTE_LAYOUTS(HALFTONE_PALETTE_ROW, )
                                                                       HALFTONE_VECTOR_LAYOUTS(HALFTONE_VECTOR_ROW, )};
#undef HALFTONE_LAYOUT_ROW
#undef HALFTONE_PALETTE_ROW
#undef HALFTONE_VECTOR_ROW

}  // namespace halftone
