// SPDX-License-Identifier: Apache-2.0
// Every integer layout, once: from this list come LayoutId, the table of layouts, the rows of the kernel list and the
// kernels of every ISA. Only macros: kernel files may include it.
#pragma once

// ROW(with, name, bits, group, kind): `group` columns of a row share a scale (0: the whole row); kind is `symmetric`
// (weight = q * scale) or `affine` (weight = u * scale + base). `with` is handed through.
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
  ROW(with, uint8_affine128, 8, 128, affine)
