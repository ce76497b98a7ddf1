// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "edge/streams/record.h"

namespace moru::edge {
namespace {

const RecordOptions& options() {
  static const RecordOptions kOptions = {.fields = {{.name = "value", .type = FieldType::kDouble},
                                                    {.name = "n", .type = FieldType::kInt64},
                                                    {.name = "device", .type = FieldType::kText}},
                                         .time = "at",
                                         .time_unit = "ms"};
  return kOptions;
}

std::string reason(std::string_view text) {
  Item item;
  return std::string(read_json_record(options(), text, item));
}

TEST(JsonRecord, SetsItsFieldsAndTime) {
  Item item;
  EXPECT_EQ(
      read_json_record(options(),
                       R"( {"x": {"value": 7, "at": [1]}, "device": "ov\u00e9n", "value": 2, "n": true, "at": 1.5, "y": [[{}]]} )", item),
      "");
  EXPECT_EQ(item.fields.size(), 3U);
  EXPECT_EQ(*item.get<double>("value"), 2.0);
  EXPECT_EQ(*item.get<std::int64_t>("n"), 1);
  EXPECT_EQ(item.text("device"), "ov\xC3\xA9n");
  EXPECT_EQ(item.event_time, 1'500'000);
}

TEST(JsonRecord, WhatIsMissingOrNullIsLeftOut) {
  Item item;
  EXPECT_EQ(read_json_record(options(), R"({"value": null, "at": "1700000000123"})", item), "");
  EXPECT_EQ(item.fields.size(), 0U);
  EXPECT_EQ(item.event_time, 1'700'000'000'123'000'000);
}

TEST(JsonRecord, TheLastOfTwoKeysCounts) {
  Item item;
  EXPECT_EQ(read_json_record(options(), R"({"n": 1, "at": true, "n": -2, "at": 3})", item), "");
  EXPECT_EQ(*item.get<std::int64_t>("n"), -2);
  EXPECT_EQ(item.event_time, 3'000'000);
}

TEST(JsonRecord, NumbersAreOfTheFieldsType) {
  Item item;
  EXPECT_EQ(read_json_record(options(), R"({"value": 18446744073709551615, "at": 1})", item), "");
  EXPECT_EQ(*item.get<double>("value"), 18446744073709551615.0);
  EXPECT_EQ(reason(R"({"n": 9223372036854775808, "at": 1})"), "wrong type");
  EXPECT_EQ(reason(R"({"n": 1.0, "at": 1})"), "wrong type");
  EXPECT_EQ(reason(R"({"n": "1", "at": 1})"), "wrong type");
  EXPECT_EQ(reason(R"({"value": true, "at": 1})"), "wrong type");
  EXPECT_EQ(reason(R"({"value": [1], "at": 1})"), "wrong type");
  EXPECT_EQ(reason(R"({"device": {}, "at": 1})"), "wrong type");
}

TEST(JsonRecord, SaysWhyItIsNone) {
  for (const auto* text : {"", "null", "1", "\"a\"", "[{\"at\": 1}]", "{\"at\": 1", "{\"at\": 1} 2", "{at: 1}",
                           "{\"value\": 1e999, \"at\": 1}", "{\"device\": \"\xFF\", \"at\": 1}"}) {
    EXPECT_EQ(reason(text), "no JSON object") << text;
  }
  const std::string deep(100, '[');
  EXPECT_EQ(reason("{\"x\": " + deep + std::string(100, ']') + ", \"at\": 1}"), "no JSON object");
  for (const auto* text : {"{}", R"({"at": null})", R"({"at": "x"})", R"({"at": {}})", R"({"at": false})", R"({"x": {"at": 1}})"}) {
    EXPECT_EQ(reason(text), "no time") << text;
  }
}

}  // namespace
}  // namespace moru::edge
