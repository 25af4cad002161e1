// SPDX-License-Identifier: Apache-2.0
// How stored bytes become codes, for every ISA: a vector holds, in each byte, what tensor/layouts/integer.cc calls a
// byte of a unit; out come kQuads vectors with one code per byte, dwords of 4 consecutive columns.
//
// Ops of an ISA, on bytes:  Vector;  field<kShift, kMask>(v): v >> kShift & kMask;  merge<kShift, kMask>(into, v): into
// | (v >> kShift & kMask).
#pragma once

namespace halftone {
namespace {

template <int kBits>
struct Codes;

template <>
struct Codes<8> {
  static constexpr int kQuads = 2, kVectors = 2;
  template <class Ops, class Vector>
  static inline __attribute__((always_inline)) void unpack(const Vector (&bytes)[2], Vector (&quads)[2]) {
    quads[0] = bytes[0];
    quads[1] = bytes[1];
  }
};

template <>
struct Codes<4> {
  static constexpr int kQuads = 2, kVectors = 1;
  template <class Ops, class Vector>
  static inline __attribute__((always_inline)) void unpack(const Vector (&bytes)[1], Vector (&quads)[2]) {
    quads[0] = Ops::template field<0, 15>(bytes[0]);
    quads[1] = Ops::template field<4, 15>(bytes[0]);
  }
};

template <>
struct Codes<1> {
  static constexpr int kQuads = 8, kVectors = 1;
  template <class Ops, class Vector>
  static inline __attribute__((always_inline)) void unpack(const Vector (&bytes)[1], Vector (&quads)[8]) {
    quads[0] = Ops::template field<0, 1>(bytes[0]);
    quads[1] = Ops::template field<1, 1>(bytes[0]);
    quads[2] = Ops::template field<2, 1>(bytes[0]);
    quads[3] = Ops::template field<3, 1>(bytes[0]);
    quads[4] = Ops::template field<4, 1>(bytes[0]);
    quads[5] = Ops::template field<5, 1>(bytes[0]);
    quads[6] = Ops::template field<6, 1>(bytes[0]);
    quads[7] = Ops::template field<7, 1>(bytes[0]);
  }
};

template <>
struct Codes<2> {
  static constexpr int kQuads = 4, kVectors = 1;
  template <class Ops, class Vector>
  static inline __attribute__((always_inline)) void unpack(const Vector (&bytes)[1], Vector (&quads)[4]) {
    quads[0] = Ops::template field<0, 3>(bytes[0]);
    quads[1] = Ops::template field<2, 3>(bytes[0]);
    quads[2] = Ops::template field<4, 3>(bytes[0]);
    quads[3] = Ops::template field<6, 3>(bytes[0]);
  }
};

template <>
struct Codes<5> {
  static constexpr int kQuads = 8, kVectors = 5;
  template <class Ops, class Vector>  // quads 5 and 6: of vectors 0 and 1, of 2 and 3
  static inline __attribute__((always_inline)) Vector upper_of_two(const Vector (&bytes)[5], int first) {
    return Ops::template merge<2, 24>(Ops::template field<5, 7>(bytes[first]), bytes[first + 1]);
  }
  template <class Ops, class Vector>
  static inline __attribute__((always_inline)) Vector last(const Vector (&bytes)[5]) {
    const Vector four = Ops::template merge<4, 8>(Ops::template field<5, 7>(bytes[4]), bytes[1]);
    return Ops::template merge<3, 16>(four, bytes[3]);
  }
  template <class Ops, class Vector>
  static inline __attribute__((always_inline)) void unpack(const Vector (&bytes)[5], Vector (&quads)[8]) {
    for (int i = 0; i < 5; ++i) quads[i] = Ops::template field<0, 31>(bytes[i]);
    quads[5] = upper_of_two<Ops>(bytes, 0);
    quads[6] = upper_of_two<Ops>(bytes, 2);
    quads[7] = last<Ops>(bytes);
  }
};

template <>
struct Codes<6> {
  static constexpr int kQuads = 4, kVectors = 3;
  template <class Ops, class Vector>
  static inline __attribute__((always_inline)) Vector fourth(const Vector (&bytes)[3]) {
    const Vector two = Ops::template merge<4, 12>(Ops::template field<6, 3>(bytes[0]), bytes[1]);
    return Ops::template merge<2, 48>(two, bytes[2]);
  }
  template <class Ops, class Vector>
  static inline __attribute__((always_inline)) void unpack(const Vector (&bytes)[3], Vector (&quads)[4]) {
    for (int i = 0; i < 3; ++i) quads[i] = Ops::template field<0, 63>(bytes[i]);
    quads[3] = fourth<Ops>(bytes);
  }
};

template <>
struct Codes<3> {
  static constexpr int kQuads = 8, kVectors = 3;
  template <class Ops, class Vector>
  static inline __attribute__((always_inline)) void unpack(const Vector (&bytes)[3], Vector (&quads)[8]) {
    for (int i = 0; i < 3; ++i) {
      quads[2 * i] = Ops::template field<0, 7>(bytes[i]);
      quads[2 * i + 1] = Ops::template field<3, 7>(bytes[i]);
    }
    const Vector pair = Codes<6>::fourth<Ops>(bytes);
    quads[6] = Ops::template field<0, 7>(pair);
    quads[7] = Ops::template field<3, 7>(pair);
  }
};

}  // namespace
}  // namespace halftone
