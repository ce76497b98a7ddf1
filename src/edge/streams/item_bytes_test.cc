// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/item_bytes.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "edge/streams/outbox_segment.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;

Item full() {
  Item item;
  item.sequence = std::numeric_limits<std::uint64_t>::max();
  item.event_time = std::numeric_limits<TimeNs>::min();
  item.set("n", std::numeric_limits<std::int64_t>::min());
  item.set("nan", std::nan("7"));
  item.set("zero", -0.0);
  item.set("short", "oven");
  item.set("long", "a text that does not lie in the field itself");
  item.set("empty", "");
  item.set("image", model::Tensor::of<std::uint8_t>({1, 2, 3}, {1, 2, 3, 4, 5, 6}));
  item.set("none", model::Tensor::of<float>({0, 4}, {}));
  item.set("words", *model::Tensor::of_strings({2}, std::vector<std::string>{"hot", ""}));
  return item;
}

std::string bytes_of(const Item& item) {
  std::string bytes;
  append_item_bytes(bytes, item);
  return bytes;
}

TEST(ItemBytes, GiveTheItemBack) {
  ItemReader reader;
  const std::string bytes = bytes_of(full());
  const auto item = reader.read(bytes);
  ASSERT_TRUE(item) << item.error().message;
  EXPECT_EQ(bytes_of(*item), bytes);  // of every field its name, type and bits
  EXPECT_EQ(item->sequence, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(*item->get<std::int64_t>("n"), std::numeric_limits<std::int64_t>::min());
  EXPECT_TRUE(std::signbit(*item->get<double>("zero")));
  EXPECT_EQ(item->text("long"), "a text that does not lie in the field itself");
  EXPECT_TRUE(model::same_bits(*item->get<model::Tensor>("image"), *full().get<model::Tensor>("image")));
  EXPECT_EQ(item->get<model::Tensor>("words")->strings()[0], "hot");
  EXPECT_TRUE(reader.read(bytes_of(Item{})));
}

TEST(ItemBytes, CutShortOrLongerAreAnError) {
  ItemReader reader;
  const std::string bytes = bytes_of(full());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto item = reader.read(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(item) << size;
    EXPECT_EQ(item.error().code, ErrorCode::kCorrupt) << item.error().message;
  }
  EXPECT_THAT(reader.read(bytes + "x").error().message, HasSubstr("1 more bytes, expected the end"));
}

TEST(ItemBytes, AnyChangedByteIsAnotherItemOrAnError) {
  ItemReader reader;
  const std::string bytes = bytes_of(full());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const char flip : {'\x01', '\x80', '\xFF'}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      const auto item = reader.read(damaged);
      EXPECT_TRUE(!item || bytes_of(*item) == damaged) << i;
    }
  }
}

TEST(ItemBytes, NamesFromOutsideAreBounded) {
  ItemReader reader;
  const auto with_name = [](const std::string& name) {
    Item item;
    item.set("n", 1);
    std::string bytes = bytes_of(item);
    bytes.resize(bytes.size() - 4 - 1 - 8);
    put_u32(bytes, static_cast<std::uint32_t>(name.size()));
    return bytes + name + std::string(8, '\0');
  };
  const std::string filler(1000, 'x');
  int taken = 0;
  while (reader.read(with_name(fmt::format("{}{:06}", filler, taken)))) ++taken;
  EXPECT_EQ(taken, (1 << 20) / 1006);
  EXPECT_TRUE(reader.read(with_name(fmt::format("{}{:06}", filler, 0))));  // a known one costs nothing
  EXPECT_THAT(reader.read(with_name("")).error().message, HasSubstr("field name of 0 bytes"));
}

TEST(ItemBytes, FieldsComeOnce) {
  ItemReader reader;
  Item item;
  item.set("a", 1);
  item.set("b", 2);
  std::string bytes = bytes_of(item);
  bytes[bytes.rfind('b')] = 'a';
  EXPECT_THAT(reader.read(bytes).error().message, HasSubstr("field 'a' twice"));
}

}  // namespace
}  // namespace moru::edge
