// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/signals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace moru::edge {
namespace {

using ::testing::HasSubstr;

Result<std::vector<Signal>> read(std::string_view text, std::size_t max_bytes = 8) {
  return read_signals(*ConfigObject::parse(text, "test.yaml"), max_bytes);
}

Item decoded(std::string_view table, std::vector<std::uint8_t> message, std::string_view reason = "") {
  const auto signals = read(table);
  EXPECT_TRUE(signals) << signals.error().message;
  Item item;
  EXPECT_EQ(decode_signals(*signals, message, item), reason);
  return item;
}

/// Writes a value the way a DBC file means it, from the definition: little-endian ones as a shifted 64-bit word, big-endian ones as a
/// shifted word of bytes in the other order.
std::array<std::uint8_t, 8> packed(std::uint64_t value, unsigned start, unsigned length, bool big_endian) {
  std::array<std::uint8_t, 8> bytes{};
  // In a big-endian word the bit 8 * byte + n is the n-th lowest of the (7 - byte)-th lowest byte.
  const unsigned highest = (7 - start / 8) * 8 + start % 8;
  const std::uint64_t word = value << (big_endian ? highest + 1 - length : start);
  for (unsigned i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(word >> (8 * (big_endian ? 7 - i : i)));
  return bytes;
}

TEST(Signals, EveryPlaceAndLengthInBothByteOrders) {
  int checked = 0;
  for (const bool big_endian : {false, true}) {
    for (unsigned start = 0; start < 64; ++start) {
      for (unsigned length = 1; length <= 64; ++length) {
        const Signal signal{.spec = {.name = "s"}, .start = start, .length = length, .big_endian = big_endian};
        if (signal.bytes() > 8) continue;
        const std::uint64_t mask = length == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << length) - 1;
        const std::uint64_t value = 0x9E3779B97F4A7C15U & mask;
        const auto message = packed(value, start, length, big_endian);
        ASSERT_EQ(signal.raw(std::span(message).first(signal.bytes())), value) << start << " " << length << " " << big_endian;
        ++checked;
      }
    }
  }
  EXPECT_EQ(checked, 2 * (64 * 65 / 2));
}

TEST(Signals, SignScaleAndOffset) {
  const auto item = decoded(R"({a: {start: 0, length: 8, signed: true}, b: {start: 8, length: 16, scale: 0.25, offset: -40, unit: degC},
    c: {start: 31, length: 12, order: big, signed: true, scale: 2}, d: {start: 0, length: 64}})",
                            {0xFE, 0x34, 0x12, 0xFF, 0xF0, 0, 0, 0x80});
  EXPECT_EQ(*item.get<std::int64_t>("a"), -2);
  EXPECT_EQ(*item.get<double>("b"), 0x1234 * 0.25 - 40.0);
  EXPECT_EQ(*item.get<double>("c"), -2.0);
  EXPECT_EQ(*item.get<double>("d"), static_cast<double>(0x800000F0FF1234FEU));
}

TEST(Signals, AMultiplexerChooses) {
  const std::string_view table = R"({mode: {start: 0, length: 8, multiplexer: true}, x: {start: 8, length: 8, when: 1},
    y: {start: 8, length: 16, when: 2}, z: {start: 24, length: 8}})";
  const auto one = decoded(table, {1, 7, 0, 9});
  EXPECT_EQ(*one.get<std::int64_t>("x"), 7);
  EXPECT_EQ(one.find("y"), nullptr);
  EXPECT_EQ(*one.get<std::int64_t>("z"), 9);
  EXPECT_EQ(*decoded(table, {2, 1, 1, 0}).get<std::int64_t>("y"), 257);
  EXPECT_EQ(decoded(table, {3, 1, 1, 0}).fields.size(), 2U);
  decoded(table, {1, 7, 0}, "too short");
  decoded(table, {}, "too short");
}

TEST(Signals, MistakesHaveTheirLine) {
  const auto mistake = [](std::string_view text) {
    const auto signals = read(text);
    return signals ? std::string("none") : signals.error().message;
  };
  EXPECT_THAT(mistake("{a: {start: 60, length: 5}}"), HasSubstr("which end in byte 9, expected at most 8 bytes"));
  EXPECT_THAT(mistake("{a: {start: 56, length: 2, order: big}}"), HasSubstr("which end in byte 9"));
  EXPECT_THAT(mistake("{a: {start: 0, length: 65}}"), HasSubstr("test.yaml:1"));
  EXPECT_THAT(mistake("{a: {start: 0, lenght: 6}}"), HasSubstr("did you mean 'length'"));
  EXPECT_THAT(mistake("{a: {start: 0, length: 6, when: 1}}"), HasSubstr("found 0 signals with 'multiplexer: true', expected one, since"));
  EXPECT_THAT(mistake("{a: {start: 0, length: 6, multiplexer: true}, b: {start: 0, length: 6, multiplexer: true}}"),
              HasSubstr("one at most"));
  EXPECT_THAT(mistake("{a: 5}"), HasSubstr("expected a name without a dot"));
  EXPECT_THAT(mistake("{}"), HasSubstr("expected a map of signals"));
}

}  // namespace
}  // namespace moru::edge
