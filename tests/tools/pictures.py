#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the PNG files of src/formats/picture/picture_test.cc as C++ strings, made field by field as the standard says."""
import struct
import zlib


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, depth, colour, rows, before=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def show(name, content):
    print(f"const std::string_view {name} = bytes(")
    for i in range(0, len(content), 24):
        print('    "' + "".join(f"\\x{b:02x}" for b in content[i:i + 24]) + '"')
    print(");")


show("kRgb", png(2, 2, 8, 2, [bytes([255, 0, 0, 0, 255, 0]), bytes([0, 0, 255, 10, 20, 30])]))
show("kGrey16", png(3, 1, 16, 0, [struct.pack(">HHH", 0, 0x8000, 0xFFFF)]))
show("kPalette2", png(3, 2, 2, 3, [bytes([0b00011000]), bytes([0b11000100])],
                     chunk(b"PLTE", bytes([1, 2, 3, 40, 50, 60, 70, 80, 90, 200, 210, 220]))))
show("kOpaque", png(1, 2, 8, 6, [bytes([9, 8, 7, 255]), bytes([6, 5, 4, 255])]))
show("kSeeThrough", png(1, 2, 8, 6, [bytes([9, 8, 7, 255]), bytes([6, 5, 4, 128])]))
