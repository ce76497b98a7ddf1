// SPDX-License-Identifier: Apache-2.0
#include "core/json.h"

#include <gmock/gmock.h>

namespace moru {
namespace {

using testing::HasSubstr;

TEST(ParseJson, KeepsTheOrderOfFields) {
  const auto json = parse_json(R"({"b": 1, "a": [true, null, "x"]})", "t");
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ(json->dump(), R"({"b":1,"a":[true,null,"x"]})");
}

TEST(ParseJson, RefusesWhatIsNoJsonAndSaysWhere) {
  for (const std::string_view text : {"", "{", "[1,]", "nul", "{\"a\":1}x", "\"\xff\"", "1e999", "{'a':1}"}) {
    const auto json = parse_json(text, "message 7");
    ASSERT_FALSE(json.has_value()) << text;
    EXPECT_EQ(json.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(json.error().message, testing::StartsWith("message 7: "));
  }
}

TEST(ParseJson, RefusesHostileNesting) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(parse_json(nested(64), "t").has_value());
  EXPECT_FALSE(parse_json(nested(65), "t").has_value());
  EXPECT_FALSE(parse_json(std::string(5'000'000, '['), "t").has_value());
  EXPECT_FALSE(parse_json(std::string(1'000'000, '{'), "t").has_value());
}

TEST(ParseJson, BracketsInsideTextsAreNoNesting) {
  const std::string text = "[\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"]";
  EXPECT_TRUE(parse_json(text, "t").has_value());
}

class JsonFieldTest : public testing::Test {
 protected:
  Json object_ =
      parse_json(R"({"n": 300, "neg": -1, "big": 18446744073709551615, "f": 0.5, "s": "word", "b": true, "l": [1], "z": null})", "t")
          .value();
};

TEST_F(JsonFieldTest, ReadsEachType) {
  EXPECT_EQ(json_field<int>(object_, "n", "t").value(), 300);
  EXPECT_EQ(json_field<std::int64_t>(object_, "neg", "t").value(), -1);
  EXPECT_EQ(json_field<std::uint64_t>(object_, "big", "t").value(), 18446744073709551615U);
  EXPECT_EQ(json_field<double>(object_, "f", "t").value(), 0.5);
  EXPECT_EQ(json_field<double>(object_, "n", "t").value(), 300.0);
  EXPECT_EQ(json_field<std::string>(object_, "s", "t").value(), "word");
  EXPECT_TRUE(json_field<bool>(object_, "b", "t").value());
  EXPECT_EQ(json_field<Json>(object_, "l", "t").value().size(), 1U);
  EXPECT_TRUE(json_field<Json>(object_, "z", "t").value().is_null());
}

TEST_F(JsonFieldTest, IntegersAreRangeChecked) {
  EXPECT_FALSE(json_field<std::int8_t>(object_, "n", "t").has_value());
  EXPECT_FALSE(json_field<std::uint32_t>(object_, "neg", "t").has_value());
  EXPECT_FALSE(json_field<std::int64_t>(object_, "big", "t").has_value());
  EXPECT_FALSE(json_field<int>(object_, "f", "t").has_value());
}

TEST_F(JsonFieldTest, WrongTypesAndMissingFieldsNameTheField) {
  EXPECT_FALSE(json_field<int>(object_, "s", "t").has_value());
  EXPECT_FALSE(json_field<int>(object_, "b", "t").has_value());
  EXPECT_FALSE(json_field<bool>(object_, "n", "t").has_value());
  EXPECT_FALSE(json_field<std::string>(object_, "z", "t").has_value());
  EXPECT_FALSE(json_field<double>(object_, "s", "t").has_value());
  EXPECT_FALSE(json_field<Json>(object_, "none", "t").has_value());
  const auto missing = json_field<std::string>(object_, "none", "card");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(missing.error().message, HasSubstr("card: field 'none' is missing or of the wrong type, expected a string"));
  EXPECT_THAT(json_field<int>(Json::array(), "x", "card").error().message, HasSubstr("card: found array, expected an object"));
}

}  // namespace
}  // namespace moru
