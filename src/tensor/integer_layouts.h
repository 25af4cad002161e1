// SPDX-License-Identifier: Apache-2.0
// Every integer layout and every palette, once: from these lists come LayoutId, the table of layouts, the rows of the
// kernel list and the kernels of every ISA. Only macros: kernel files may include it.
#pragma once

// ROW(with, name, bits, group, kind): `group` columns of a row share a scale (0: the whole row). `with` is handed
// through.
//   symmetric         weight = q * scale
//   affine            weight = u * scale + base
//   nested_symmetric  the same, the scale being an f16 number of 256 columns times a signed byte of the group
//   nested_affine     the same for scale and base, with unsigned bytes, the base being minus that product
#define HALFTONE_INTEGER_LAYOUTS(ROW, with)   \
  ROW(with, int8_channel, 8, 0, symmetric)    \
  ROW(with, int8_block32, 8, 32, symmetric)   \
  ROW(with, int4_channel, 4, 0, symmetric)    \
  ROW(with, int4_block32, 4, 32, symmetric)   \
  ROW(with, int4_block64, 4, 64, symmetric)   \
  ROW(with, int4_block128, 4, 128, symmetric) \
  ROW(with, int3_block32, 3, 32, symmetric)   \
  ROW(with, int6_block32, 6, 32, symmetric)   \
  ROW(with, uint4_affine32, 4, 32, affine)    \
  ROW(with, uint4_affine64, 4, 64, affine)    \
  ROW(with, uint4_affine128, 4, 128, affine)  \
  ROW(with, uint8_affine32, 8, 32, affine)    \
  ROW(with, uint8_affine64, 8, 64, affine)    \
  ROW(with, uint8_affine128, 8, 128, affine)  \
  ROW(with, int5_block32, 5, 32, symmetric)   \
  ROW(with, uint2_affine32, 2, 32, affine)    \
  ROW(with, uint2_affine64, 2, 64, affine)    \
  ROW(with, uint2_affine128, 2, 128, affine)  \
  ROW(with, uint3_affine32, 3, 32, affine)    \
  ROW(with, uint3_affine64, 3, 64, affine)    \
  ROW(with, uint3_affine128, 3, 128, affine)  \
  ROW(with, uint5_affine32, 5, 32, affine)    \
  ROW(with, uint5_affine64, 5, 64, affine)    \
  ROW(with, uint5_affine128, 5, 128, affine)  \
  ROW(with, uint6_affine32, 6, 32, affine)    \
  ROW(with, uint6_affine64, 6, 64, affine)    \
  ROW(with, uint6_affine128, 6, 128, affine)  \
  ROW(with, uint4_k32, 4, 32, nested_affine)  \
  ROW(with, uint5_k32, 5, 32, nested_affine)  \
  ROW(with, int6_k16, 6, 16, nested_symmetric)

// ROW(with, name, bits, rows, kind): a palette of 2^bits f16 numbers is shared by `rows` rows of a matrix: 1, 4, 8, 16,
// 32, or 0: by all.
//   plain   weight = palette[u]
//   scaled  weight = palette[u] * scale, with a scale for each row
// A scale pays where rows of different size share few numbers.
#define HALFTONE_SHARED_PALETTES(ROW, with, bits) \
  ROW(with, lut##bits##_tensor, bits, 0, plain)   \
  ROW(with, lut##bits##_group32, bits, 32, plain) \
  ROW(with, lut##bits##_group16, bits, 16, plain) \
  ROW(with, lut##bits##_group8, bits, 8, plain)   \
  ROW(with, lut##bits##_group4, bits, 4, plain)
#define HALFTONE_PLAIN_PALETTES(ROW, with, bits) \
  HALFTONE_SHARED_PALETTES(ROW, with, bits)      \
  ROW(with, lut##bits##_group1, bits, 1, plain)
#define HALFTONE_SCALED_PALETTES(ROW, with, bits)       \
  ROW(with, lut##bits##_tensor_scaled, bits, 0, scaled) \
  ROW(with, lut##bits##_group16_scaled, bits, 16, scaled)
// Those whose entries, as bytes, registers look up: at most 64 for four rows. They have the int8 contract, too.
#define HALFTONE_BYTE_PALETTES(ROW, with) \
  HALFTONE_PLAIN_PALETTES(ROW, with, 1)   \
  HALFTONE_PLAIN_PALETTES(ROW, with, 2)   \
  HALFTONE_PLAIN_PALETTES(ROW, with, 3)   \
  HALFTONE_PLAIN_PALETTES(ROW, with, 4)   \
  HALFTONE_SHARED_PALETTES(ROW, with, 6)  \
  HALFTONE_SCALED_PALETTES(ROW, with, 2)  \
  HALFTONE_SCALED_PALETTES(ROW, with, 3)  \
  HALFTONE_SCALED_PALETTES(ROW, with, 4)  \
  HALFTONE_SCALED_PALETTES(ROW, with, 6)
#define HALFTONE_PALETTE_LAYOUTS(ROW, with) \
  HALFTONE_BYTE_PALETTES(ROW, with)         \
  ROW(with, lut6_group1, 6, 1, plain)       \
  HALFTONE_PLAIN_PALETTES(ROW, with, 8)

// ROW(with, name, bits, vector, rows, kind): one code stands for a column of `vector` neighbouring rows, which begin at
// a multiple of that; entries are as many f16 numbers. rows 0: one palette for the matrix, stored before its panels;
// 16: each panel has its own.
#define HALFTONE_VECTOR_LAYOUTS(ROW, with)         \
  ROW(with, lut6v2_tensor, 6, 2, 0, plain)         \
  ROW(with, lut6v2_tensor_scaled, 6, 2, 0, scaled) \
  ROW(with, lut6v2_group16, 6, 2, 16, plain)       \
  ROW(with, lut8v2_tensor, 8, 2, 0, plain)         \
  ROW(with, lut8v2_tensor_scaled, 8, 2, 0, scaled) \
  ROW(with, lut8v4_tensor, 8, 4, 0, plain)         \
  ROW(with, lut8v4_tensor_scaled, 8, 4, 0, scaled)
