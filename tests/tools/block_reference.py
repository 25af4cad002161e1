#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Decodes single blocks of GGUF and rows of MLX in plain Python, bit by bit from the description of the formats, and writes
golden values for the C++ tests. It shares no code and no tables' layout with src/.

    tests/tools/block_reference.py > tests/golden/quantized_blocks.json
"""
import json
import struct
from fractions import Fraction

LUT = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
E2M1 = [Fraction(n, 2) for n in (0, 1, 2, 3, 4, 6, 8, 12)]


def f16(data, at):
    return Fraction(struct.unpack_from("<e", data, at)[0])


def to_f32(value):
    """Rounded once, as a fused multiply-add does. Numbers here are far from the ends of the range."""
    return struct.unpack("<f", struct.pack("<f", nearest(value)))[0]


def nearest(value):
    if value == 0:
        return 0.0
    sign, value = (-1, -value) if value < 0 else (1, value)
    exponent = 0
    while value >= 2:
        value, exponent = value / 2, exponent + 1
    while value < 1:
        value, exponent = value * 2, exponent - 1
    scaled = value * 2**23
    whole = scaled.numerator // scaled.denominator
    rest = scaled - whole
    if rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2):
        whole += 1
    return sign * whole * 2.0 ** (exponent - 23)


def random_bytes(count, seed):
    state, out = seed, bytearray()
    for _ in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        out.append(state >> 16 & 255)
    return out


def halves(data, *places):
    """Puts tame f16 numbers at the places, the second one negative."""
    for i, at in enumerate(places):
        struct.pack_into("<e", data, at, (0.0123, -0.377)[i])
    return data


def bit(data, index):
    return data[index // 8] >> index % 8 & 1


def nibble_of(qs, j):
    return qs[j] & 15 if j < 16 else qs[j - 16] >> 4


def q4_0(b):
    return [(nibble_of(b[2:], j) - 8) * f16(b, 0) for j in range(32)]


def q4_1(b):
    return [nibble_of(b[4:], j) * f16(b, 0) + f16(b, 2) for j in range(32)]


def q5_0(b):
    return [(nibble_of(b[6:], j) + 16 * bit(b[2:6], j) - 16) * f16(b, 0) for j in range(32)]


def q5_1(b):
    return [(nibble_of(b[8:], j) + 16 * bit(b[4:8], j)) * f16(b, 0) + f16(b, 2) for j in range(32)]


def q8_0(b):
    return [struct.unpack_from("<b", b, 2 + j)[0] * f16(b, 0) for j in range(32)]


def iq4_nl(b):
    return [LUT[nibble_of(b[2:], j)] * f16(b, 0) for j in range(32)]


def mxfp4(b):
    scale = Fraction(2) ** (b[0] - 127)
    out = []
    for j in range(32):
        n = nibble_of(b[1:], j)
        out.append((-1 if n & 8 else 1) * E2M1[n & 7] * scale)
    return out


def q2_k(b):
    d, dmin, out = f16(b, 80), f16(b, 82), []
    for half in range(2):
        for pair in range(4):
            for l in range(32):
                q = b[16 + 32 * half + l] >> 2 * pair & 3
                s = b[8 * half + 2 * pair + (1 if l >= 16 else 0)]
                out.append(d * (s & 15) * q - dmin * (s >> 4))
    return out


def q3_k(b):
    d, packed, out, scales = f16(b, 108), b[96:108], [], []
    for g in range(16):
        low = packed[g] & 15 if g < 8 else packed[g - 8] >> 4
        scales.append((low | (packed[8 + g % 4] >> 2 * (g // 4) & 3) << 4) - 32)
    for half in range(2):
        for pair in range(4):
            for l in range(32):
                q = b[32 + 32 * half + l] >> 2 * pair & 3
                high = b[l] >> (4 * half + pair) & 1
                g = 8 * half + 2 * pair + (1 if l >= 16 else 0)
                out.append(d * scales[g] * (q - (0 if high else 4)))
    return out


def six_bit(s, j):
    if j < 4:
        return s[j] & 63, s[j + 4] & 63
    return (s[j + 4] & 15) | (s[j - 4] >> 6) << 4, (s[j + 4] >> 4) | (s[j] >> 6) << 4


def q4_k(b):
    d, dmin, out = f16(b, 0), f16(b, 2), []
    for chunk in range(4):
        for part in range(2):
            sc, mn = six_bit(b[4:16], 2 * chunk + part)
            for l in range(32):
                byte = b[16 + 32 * chunk + l]
                out.append(d * sc * (byte >> 4 if part else byte & 15) - dmin * mn)
    return out


def q5_k(b):
    d, dmin, out = f16(b, 0), f16(b, 2), []
    for chunk in range(4):
        for part in range(2):
            sc, mn = six_bit(b[4:16], 2 * chunk + part)
            for l in range(32):
                byte = b[48 + 32 * chunk + l]
                q = (byte >> 4 if part else byte & 15) + 16 * (b[16 + l] >> (2 * chunk + part) & 1)
                out.append(d * sc * q - dmin * mn)
    return out


def q6_k(b):
    d, out = f16(b, 208), [None] * 256
    for half in range(2):
        ql, qh = b[64 * half:], b[128 + 32 * half:]
        for l in range(32):
            codes = [ql[l] & 15 | (qh[l] & 3) << 4, ql[l + 32] & 15 | (qh[l] >> 2 & 3) << 4,
                     ql[l] >> 4 | (qh[l] >> 4 & 3) << 4, ql[l + 32] >> 4 | (qh[l] >> 6 & 3) << 4]
            for i, code in enumerate(codes):
                scale = struct.unpack_from("<b", b, 192 + 8 * half + l // 16 + 2 * i)[0]
                out[128 * half + 32 * i + l] = d * scale * (code - 32)
    return out


def iq4_xs(b):
    d, high, out = f16(b, 0), struct.unpack_from("<H", b, 2)[0], []
    for ib in range(8):
        ls = (b[4 + ib // 2] >> 4 * (ib % 2) & 15) | (high >> 2 * ib & 3) << 4
        out += [LUT[nibble_of(b[8 + 16 * ib:], j)] * d * (ls - 32) for j in range(32)]
    return out


GGUF = {
    "q4_0": (18, (0,), q4_0), "q4_1": (20, (0, 2), q4_1), "q5_0": (22, (0,), q5_0), "q5_1": (24, (0, 2), q5_1),
    "q8_0": (34, (0,), q8_0), "q2_k": (84, (80, 82), q2_k), "q3_k": (110, (108,), q3_k), "q4_k": (144, (0, 2), q4_k),
    "q5_k": (176, (0, 2), q5_k), "q6_k": (210, (208,), q6_k), "iq4_nl": (18, (0,), iq4_nl),
    "iq4_xs": (136, (0,), iq4_xs), "mxfp4": (17, (), mxfp4),
}


def mlx_row(words, bits, groups, group):
    """Element k of a row is the number whose bit i is bit k * bits + i of the bytes."""
    row = random_bytes(words * 4, 77 + bits)
    codes = [sum(bit(row, k * bits + i) << i for i in range(bits)) for k in range(words * 32 // bits)]
    scales = [(-1) ** g * 0.01171875 * (g + 1) for g in range(groups)]  # exact as bf16 and f16
    biases = [0.3125 - g for g in range(groups)]
    values = [codes[k] * Fraction(scales[k // group]) + Fraction(biases[k // group]) for k in range(len(codes))]
    return {"bits": bits, "group": group, "weight": row.hex(), "scales": scales, "biases": biases,
            "values": [to_f32(v) for v in values]}


def main():
    blocks = []
    for seed, (name, (size, places, decode)) in enumerate(GGUF.items()):
        block = halves(random_bytes(size, 1000 + seed), *places)
        if name == "mxfp4":
            block[0] = 122
        blocks.append({"type": name, "block": block.hex(), "values": [to_f32(v) for v in decode(block)]})
    rows = [mlx_row(128 * bits // 32, bits, 128 // 32, 32) for bits in (2, 3, 4, 5, 6, 8)]
    rows.append(mlx_row(128 * 4 // 32, 4, 1, 128))
    rows.append(mlx_row(128 * 8 // 32, 8, 2, 64))
    print(json.dumps({"gguf": blocks, "mlx": rows}, separators=(",", ":")))


main()
