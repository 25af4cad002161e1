// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/byte_reader.h"
#include "base/numbers.h"
#include "base/progress.h"
#include "base/rng.h"
#include "base/units.h"

namespace halftone {
namespace {

TEST(Units, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.00 kB");
  EXPECT_EQ(format_bytes(999499), "999 kB");
  EXPECT_EQ(format_bytes(999500), "1.00 MB");
  EXPECT_EQ(format_bytes(1235814000), "1.24 GB");
  EXPECT_EQ(format_bytes(12400000), "12.4 MB");
  EXPECT_EQ(format_bytes(-1500), "-1.50 kB");
  EXPECT_EQ(format_bytes(INT64_MAX), "9.22 EB");
}

TEST(Units, CountsAndSeconds) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1,000");
  EXPECT_EQ(format_count(-100), "-100");
  EXPECT_EQ(format_count(-1235814), "-1,235,814");
  EXPECT_EQ(format_count(INT64_MIN), "-9,223,372,036,854,775,808");
  EXPECT_EQ(format_seconds(0), "0 s");
  EXPECT_EQ(format_seconds(12e-6), "12 us");
  EXPECT_EQ(format_seconds(0.0012), "1.2 ms");
  EXPECT_EQ(format_seconds(0.035), "35 ms");
  EXPECT_EQ(format_seconds(0.9999), "1 s");
  EXPECT_EQ(format_seconds(1.2), "1.2 s");
  EXPECT_EQ(format_seconds(59.99), "1 min 0 s");
  EXPECT_EQ(format_seconds(125), "2 min 5 s");
  EXPECT_EQ(format_seconds(3725), "1 h 2 min");
  EXPECT_EQ(format_seconds(-2), "-2 s");
  EXPECT_EQ(format_seconds(NAN), "unknown");
}

TEST(Units, ParseBytes) {
  EXPECT_EQ(*parse_bytes("1.2GB"), 1200000000);
  EXPECT_EQ(*parse_bytes(" 600 MB "), 600000000);
  EXPECT_EQ(*parse_bytes("512MiB"), int64_t{512} << 20);
  EXPECT_EQ(*parse_bytes("3kib"), 3072);
  EXPECT_EQ(*parse_bytes("64 B"), 64);
  for (const std::string_view bad :
       {"", "1.2", "GB", "-1GB", "1 XB", "1GB2", "1e300GB", "nan GB", "1,5GB", "10EB", "0x1B"}) {
    EXPECT_FALSE(parse_bytes(bad).ok()) << bad;
  }
  EXPECT_EQ(parse_bytes("600").status().message(),
            "[units] expected a size in bytes with its unit, got '600'; write it like 1.2GB, 600MB or 512MiB");
}

TEST(Units, ParseRatesAndDurations) {
  EXPECT_EQ(*parse_rate("30tok/s"), 30);
  EXPECT_EQ(*parse_rate("2.5 tokens/s"), 2.5);
  EXPECT_FALSE(parse_rate("30").ok());
  EXPECT_FALSE(parse_rate("30 MB/s").ok());
  EXPECT_DOUBLE_EQ(*parse_duration("80ms"), 0.08);
  EXPECT_EQ(*parse_duration("2s"), 2);
  EXPECT_EQ(*parse_duration("1.5min"), 90);
  EXPECT_FALSE(parse_duration("2").ok());
  EXPECT_FALSE(parse_duration("-2s").ok());
}

TEST(Numbers, LengthOfTheLeadingNumber) {
  EXPECT_EQ(number_length("1.2GB"), 3u);
  EXPECT_EQ(number_length("-1.5e3x"), 6u);
  EXPECT_EQ(number_length("1e"), 1u);  // the exponent needs digits
  EXPECT_EQ(number_length("5."), 2u);
  EXPECT_EQ(number_length("."), 0u);
  EXPECT_EQ(number_length("-"), 0u);
  EXPECT_EQ(number_length(""), 0u);
}

TEST(Rng, PublishedSequence) {
  // xoshiro256** seeded with splitmix64(42), checked against the authors' C code.
  Rng rng(42);
  EXPECT_EQ(rng.next(), 1546998764402558742u);
  EXPECT_EQ(rng.next(), 6990951692964543102u);
  EXPECT_EQ(rng.next(), 12544586762248559009u);
}

TEST(Rng, UniformAndBelow) {
  Rng rng(1);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
  std::vector<int> hits(7);
  for (int i = 0; i < 70000; ++i) ++hits[rng.below(7)];
  for (const int h : hits) EXPECT_NEAR(h, 10000, 450);  // 4.5 deviations
  EXPECT_EQ(rng.below(1), 0u);
  for (int i = 0; i < 100; ++i) EXPECT_LT(rng.below((uint64_t{1} << 63) + 1), (uint64_t{1} << 63) + 1);
}

TEST(Rng, NormalHasItsMoments) {
  Rng rng(7);
  const int n = 200000;
  double m1 = 0, m2 = 0, m4 = 0;
  for (int i = 0; i < n; ++i) {
    const double x = rng.normal();
    m1 += x;
    m2 += x * x;
    m4 += x * x * x * x;
  }
  EXPECT_NEAR(m1 / n, 0, 0.01);
  EXPECT_NEAR(m2 / n, 1, 0.015);
  EXPECT_NEAR(m4 / n, 3, 0.12);
}

// Computed once: the same bits are expected on every platform and compiler.
TEST(Rng, NormalIsTheSameEverywhere) {
  Rng rng(2026);
  double sum = 0;
  for (int i = 0; i < 1000; ++i) sum += rng.normal();
  EXPECT_EQ(sum, 3.1054024683477666);
}

std::vector<std::byte> raw(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}

TEST(ByteReader, FixedWidths) {
  const auto bytes =
      raw({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 0, 128, 63, 0, 0, 0, 0, 0, 0, 0xf0, 0xbf});
  ByteReader reader(bytes, "file");
  EXPECT_EQ(*reader.u8(), 1);
  EXPECT_EQ(*reader.u16(), 0x0302);
  EXPECT_EQ(*reader.u32(), 0x07060504u);
  EXPECT_EQ(*reader.u64(), 0x0f0e0d0c0b0a0908u);
  EXPECT_EQ(*reader.f32(), 1.0f);
  EXPECT_EQ(*reader.f64(), -1.0);
  EXPECT_TRUE(reader.at_end());
  EXPECT_EQ(reader.u8().status().message(),
            "[file] offset 27: expected 1 more bytes, got 0; the file is truncated or damaged");
}

TEST(ByteReader, NeverBeyondTheEnd) {
  const auto bytes = raw({1, 2, 3});
  ByteReader reader(bytes, "file", 100);
  EXPECT_FALSE(reader.u32().ok());
  EXPECT_FALSE(reader.bytes(UINT64_MAX).ok());
  EXPECT_FALSE(reader.skip(4).ok());
  EXPECT_EQ(reader.offset(), 100u);  // a refusal consumes nothing
  EXPECT_EQ(reader.bytes(3)->size(), 3u);
  EXPECT_EQ(reader.bytes(0)->size(), 0u);
}

TEST(ByteReader, Varints) {
  const auto bytes = raw({0, 0x7f, 0x80, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01});
  ByteReader reader(bytes, "file");
  EXPECT_EQ(*reader.varint(), 0u);
  EXPECT_EQ(*reader.varint(), 127u);
  EXPECT_EQ(*reader.varint(), 128u);
  EXPECT_EQ(*reader.varint(), UINT64_MAX);
  const auto too_long = raw({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02});
  EXPECT_FALSE(ByteReader(too_long, "file").varint().ok());
  const auto cut = raw({0x80});
  EXPECT_FALSE(ByteReader(cut, "file").varint().ok());
}

TEST(ByteReader, ProtobufFields) {
  // field 1 message {field 2 text "ab", field 3 varint 5}, field 4 fixed32
  const auto bytes = raw({0x0a, 6, 0x12, 2, 'a', 'b', 0x18, 5, 0x25, 1, 0, 0, 0});
  ByteReader reader(bytes, "file");
  auto tag = reader.tag();
  ASSERT_TRUE(tag.ok());
  EXPECT_EQ(tag->field, 1u);
  auto inner = reader.message();
  ASSERT_TRUE(inner.ok());
  EXPECT_EQ(inner->tag()->field, 2u);
  EXPECT_EQ(*inner->length_text(), "ab");
  EXPECT_EQ(inner->offset(), 6u);  // of the whole file
  EXPECT_EQ(inner->tag()->wire, ByteReader::Wire::varint);
  EXPECT_EQ(*inner->varint(), 5u);
  EXPECT_TRUE(inner->at_end());
  const auto last = reader.tag();
  EXPECT_TRUE(reader.skip_field(last->wire).ok());
  EXPECT_TRUE(reader.at_end());
  for (const auto& bad : {raw({0x00}), raw({0x0b}), raw({0x0c}), raw({0x0f})}) {
    EXPECT_FALSE(ByteReader(bad, "file").tag().ok());
  }
  const auto beyond = raw({0x05, 1});
  EXPECT_FALSE(ByteReader(beyond, "file").message().ok());
}

TEST(Progress, NoneIsSilent) {
  Progress& progress = no_progress();
  progress.begin("x", 10, "tensors");
  progress.advance(3);
  progress.end();
  EXPECT_EQ(&progress, &no_progress());
}

}  // namespace
}  // namespace halftone
