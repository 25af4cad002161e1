// SPDX-License-Identifier: Apache-2.0
// int8 contract with sdot, which wants codes signed: those below 8 bits are, whatever their offset, and 8 bits go as
// code - 128. Not measured on a machine that has it.
#include "kernels/linear/int8_dot_neon.h"

namespace halftone {
namespace {

struct SignedDot {
  template <int kBits>
  static constexpr int kTaken = kBits == 8 ? 128 : 0;
  template <int kBits, int kElement>
  static int32x4_t add(int32x4_t sum, uint8x16_t codes, int8x16_t x) {
    const uint8x16_t q = kBits == 8 ? veorq_u8(codes, vdupq_n_u8(128)) : codes;
    return vdotq_laneq_s32(sum, vreinterpretq_s8_u8(q), x, kElement);
  }
};

template <class Panel>
inline void linear(const LinearArgs& args) {
  for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel) dot_tiles<Panel, SignedDot>(args, panel, 0);
}

}  // namespace

#define LINEAR_INT8(with, name, bits, group, kind)                     \
  void linear_##name##_panel16_int8_neon_dot(const LinearArgs& args) { \
    linear<PackedPanel<bits, group, CodeKind::kind>>(args);            \
  }
HALFTONE_INTEGER_LAYOUTS(LINEAR_INT8, )

}  // namespace halftone
