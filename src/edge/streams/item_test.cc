// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/item.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "edge/streams/schema.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kLong = "a text that is longer than sixteen bytes";

Item full() {
  Item item;
  item.set("n", 1);
  item.set("x", 2.5);
  item.set("short", "abc");
  item.set("long", kLong);
  item.set("tensor", model::Tensor::of<float>({2}, {1.0F, 2.0F}));
  return item;
}

void expect_full(const Item& item) {
  EXPECT_EQ(*item.get<std::int64_t>("n"), 1);
  EXPECT_EQ(*item.get<double>("x"), 2.5);
  EXPECT_EQ(item.text("short"), "abc");
  EXPECT_EQ(item.text("long"), kLong);
  ASSERT_NE(item.get<model::Tensor>("tensor"), nullptr);
  EXPECT_EQ(item.get<model::Tensor>("tensor")->data<float>()[1], 2.0F);
}

TEST(Item, KeepsFieldsOfEveryTypeThroughCopiesAndMoves) {
  Item item = full();
  expect_full(item);
  EXPECT_EQ(item.get<double>("n"), nullptr) << "another type";
  EXPECT_EQ(item.find("none"), nullptr);
  Item copy = item;
  const Item moved = std::move(item);
  expect_full(copy);
  expect_full(moved);
  copy = moved;
  expect_full(copy);
  const Item& self = copy;
  copy = self;
  expect_full(copy);
}

TEST(Item, AFieldThatIsSetAgainTakesAnyType) {
  Item item = full();
  item.set("long", 3);
  item.set("tensor", kLong);
  item.set("n", *item.text("tensor"));
  item.set("short", *item.text("short"));
  EXPECT_EQ(*item.get<std::int64_t>("long"), 3);
  EXPECT_EQ(item.text("tensor"), kLong);
  EXPECT_EQ(item.text("n"), kLong);
  EXPECT_EQ(item.text("short"), "abc");
  EXPECT_EQ(item.fields.size(), 5U);
}

TEST(Item, HoldsMoreFieldsThanHaveRoomInIt) {
  Item item = full();
  for (int i = 0; i < 40; ++i) item.set("f" + std::to_string(i), i);
  Item copy = item;
  const Item moved = std::move(item);
  expect_full(copy);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(*moved.get<std::int64_t>("f" + std::to_string(i)), i);
  copy.fields.clear();
  EXPECT_EQ(copy.fields.size(), 0U);
}

TEST(Item, KeepsOnlyWhatIsAskedFor) {
  Item item = full();
  const std::array<FieldName, 3> names = {"tensor", "none", "n"};
  item.fields.keep(names);
  ASSERT_EQ(item.fields.size(), 2U);
  EXPECT_EQ(item.fields[0].name().text(), "tensor");
  EXPECT_EQ(item.get<model::Tensor>("tensor")->count(), 2);
  EXPECT_EQ(*item.get<std::int64_t>("n"), 1);
}

TEST(Item, AFinderFollowsAFieldThatMoves) {
  const FieldFinder finder("x");
  Item item;
  EXPECT_EQ(finder.in(item), nullptr);
  item.set("a", 1);
  item.set("x", 2);
  EXPECT_EQ(*finder.in(item)->integer(), 2);
  Item other;
  other.set("x", 3);
  EXPECT_EQ(*finder.in(other)->integer(), 3);
}

TEST(Schema, NamesTheNearestFieldAndChecksTypes) {
  const auto object = ConfigObject::parse("{temperature: double degC, device: text, n: int64}", "f.yaml");
  const auto fields = read_fields(*object);
  ASSERT_TRUE(fields) << fields.error().message;
  Schema schema{.fields = *fields};
  EXPECT_EQ(to_string(*schema.find("temperature")), "double degC");
  EXPECT_THAT(schema.need("f:1", "temprature").error().message, HasSubstr("did you mean 'temperature'?"));
  EXPECT_THAT(schema.need("f:1", "device", FieldType::kInt64).error().message, HasSubstr("of type text, expected int64"));
  EXPECT_TRUE(schema.need_number("f:1", "n"));
  EXPECT_FALSE(schema.need_number("f:1", "device"));
  schema.open = true;
  EXPECT_EQ(*schema.need("f:1", "temprature"), nullptr);
  const auto wrong = read_fields(*ConfigObject::parse("{t: duoble}", "f.yaml"));
  EXPECT_THAT(wrong.error().message, HasSubstr("did you mean 'double'?"));
  EXPECT_FALSE(read_fields(*ConfigObject::parse("{a.b: text}", "f.yaml")));
  EXPECT_FALSE(read_fields(*ConfigObject::parse("[a]", "f.yaml")));
}

TEST(Schema, CommonHasWhatAllHave) {
  const auto of = [](std::string_view text) { return Schema{.fields = *read_fields(*ConfigObject::parse(text, "f.yaml"))}; };
  const Schema both = common({of("{a: double degC, b: text, c: int64}"), of("{a: double degC, b: int64}")});
  EXPECT_THAT(both.names(), ::testing::ElementsAre("a"));
  EXPECT_TRUE(both.open);
  EXPECT_FALSE(common({of("{a: text}"), of("{a: text}")}).open);
}

}  // namespace
}  // namespace moru::edge
