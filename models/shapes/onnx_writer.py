# SPDX-License-Identifier: Apache-2.0
"""Writes a small ONNX file: the few messages that a classifier needs, without a library."""
import struct

FLOAT, INT64 = 1, 7  # TensorProto.DataType
A_FLOAT, A_INT, A_INTS = 1, 2, 7  # AttributeProto.AttributeType


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def block(field, content):
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


def attribute(name, value):
    if isinstance(value, float):
        return block(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, A_FLOAT)
    if isinstance(value, int):
        return block(1, name) + number(3, value) + number(20, A_INT)
    return block(1, name) + b"".join(number(8, v) for v in value) + number(20, A_INTS)


def port(name, shape):
    sizes = b"".join(block(1, number(1, size) if isinstance(size, int) else block(2, size)) for size in shape)
    return block(1, name) + block(2, block(1, number(1, FLOAT) + block(2, sizes)))


class Graph:
    def __init__(self, name, inputs, outputs):
        self.parts = [block(2, name)]
        self.parts += [block(11, port(*one)) for one in inputs] + [block(12, port(*one)) for one in outputs]

    def constant(self, name, array):
        sizes = b"".join(number(1, size) for size in array.shape)
        self.parts.append(block(5, sizes + number(2, FLOAT) + block(8, name) + block(9, array.astype("<f4").tobytes())))

    def node(self, kind, inputs, name, output=None, **attributes):
        output = output or name + ".out"
        self.parts.append(block(1, b"".join(block(1, one) for one in inputs) + block(2, output) + block(3, name) + block(4, kind) +
                                b"".join(block(5, attribute(*one)) for one in attributes.items())))
        return output

    def bytes(self):
        return number(1, 8) + block(2, "halftone") + block(8, number(2, 13)) + block(7, b"".join(self.parts))
