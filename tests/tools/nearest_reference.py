#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Round to nearest as the formats' own tools do it, in float32 step by step: GGUF's Q4_0, Q5_0 and Q8_0, MLX's affine groups, and
plain symmetric rows. Writes golden codes and scales for src/quantize/methods/nearest_test.cc; it shares no code with src/.

    tests/tools/nearest_reference.py > tests/golden/nearest.json
"""
import json

import numpy as np

F = np.float32


def truncated_half_up(x):
    return np.trunc(x).astype(np.int32)


def q_signed_extreme(values, bits):
    """Q4_0 and Q5_0: the extreme, with its sign, becomes the lowest code; codes are chosen with the unrounded scale."""
    lowest = 1 << (bits - 1)
    extreme = values[np.argmax(np.abs(values))]
    d = F(extreme / F(-lowest))
    inverse = F(1) / d if d != 0 else F(0)
    codes = truncated_half_up(values * inverse + F(lowest + 0.5))
    return np.minimum(codes, 2 * lowest - 1) - lowest, d


def q8_0(values):
    d = F(np.max(np.abs(values)) / F(127))
    inverse = F(1) / d if d != 0 else F(0)
    scaled = values * inverse
    whole = np.trunc(scaled)  # half away from zero: the fraction is exact
    away = np.where(np.abs(scaled - whole) >= F(0.5), np.sign(scaled), F(0))
    return (whole + away).astype(np.int32), d


def mlx_affine(values, bits):
    most = F(2**bits - 1)
    low, high = values.min(), values.max()
    negative = abs(low) > abs(high)
    scale = max(F((high - low) / most), F(1e-7))
    scale = scale if negative else F(-scale)
    edge = low if negative else high
    q0 = np.rint(F(edge / scale))
    base = F(0)
    if q0 != 0:
        scale, base = F(edge / q0), edge
    codes = np.clip(np.rint((values - base) / scale), F(0), most).astype(np.int32)
    return codes - 2 ** (bits - 1), scale, base


def symmetric_row(values, bits):
    """max|w| is the highest code; the scale is stored as f16 and codes belong to what is stored."""
    most = F(2 ** (bits - 1) - 1)
    d = F(np.float16(F(np.max(np.abs(values)) / most)))
    codes = np.clip(np.rint(values * (F(1) / d)), -most, most).astype(np.int32)
    return codes, d


def groups():
    """Normal, shifted and heavy-tailed weights, ties, one sign, zeros."""
    rng = np.random.default_rng(20)
    yield from (F(0.02) * rng.standard_normal(32, dtype=F) for _ in range(12))
    yield from (F(0.1) + F(0.01) * rng.standard_normal(32, dtype=F) for _ in range(3))
    yield from (rng.standard_t(2, 32).astype(F) for _ in range(6))
    yield (np.arange(32) - 16).astype(F) / F(4)
    yield (16 - np.arange(32)).astype(F) / F(4)
    yield np.abs(rng.standard_normal(32, dtype=F))
    yield -np.abs(rng.standard_normal(32, dtype=F))
    yield np.zeros(32, dtype=F)


def half_bits(value):
    return int(np.float16(value).view(np.uint16))


def main():
    cases = []
    for values in groups():
        case = {"values": [int(v) for v in values.view(np.uint32)]}
        for name, result in (("int4_block32", q_signed_extreme(values, 4)), ("int5_block32", q_signed_extreme(values, 5)),
                             ("int8_block32", q8_0(values))):
            case[name] = {"codes": result[0].tolist(), "scale": half_bits(result[1])}
        if values.any():
            for name, bits in (("int4_channel", 4), ("int8_channel", 8)):
                codes, d = symmetric_row(values, bits)
                case[name] = {"codes": codes.tolist(), "scale": half_bits(d)}
        for bits in (2, 3, 4, 5, 6, 8):
            codes, scale, base = mlx_affine(values, bits)
            case[f"uint{bits}_affine32"] = {"codes": codes.tolist(), "scale": half_bits(scale), "base": half_bits(base)}
        cases.append(case)
    print(json.dumps({"cases": cases}, separators=(",", ":")))


main()
