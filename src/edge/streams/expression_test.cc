// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/expression.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "edge/streams/expression_tree.h"

namespace moru::edge {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Schema schema() {
  Schema schema;
  schema.set({.name = "t", .type = FieldType::kDouble, .unit = "degC"});
  schema.set({.name = "limit", .type = FieldType::kDouble, .unit = "degC"});
  schema.set({.name = "p", .type = FieldType::kDouble, .unit = "bar"});
  schema.set({.name = "n", .type = FieldType::kInt64});
  schema.set({.name = "device", .type = FieldType::kText});
  schema.set({.name = "image", .type = FieldType::kTensor});
  schema.set({.name = "odd-name", .type = FieldType::kInt64});
  return schema;
}

Item item() {
  Item item;
  item.sequence = 7;
  item.event_time = 5 * kSecond;
  item.set("t", 21.5);
  item.set("n", 12);
  item.set("device", "a text of more than sixteen bytes");
  item.set("odd-name", 3);
  return item;
}

/// The value as text: "12" or "12.0" or "'a'", or why there is none.
std::string value_of(std::string_view text) {
  const auto expression = Expression::compile(text, schema(), "x.yaml:3");
  if (!expression) return expression.error().message;
  Expression::Value value;
  const Item one = item();  // texts of the value lie in it
  const Fault fault = expression->run(one, value);
  if (fault != Fault::kNone) return std::string(to_string(fault));
  if (expression->type() == FieldType::kInt64) return std::to_string(value.integer);
  if (expression->type() == FieldType::kDouble) return fmt::format("{:.6g} double", value.number);
  return fmt::format("'{}'", value.text);
}

TEST(Expression, ComputesWithTheUsualPrecedence) {
  EXPECT_EQ(value_of("1 + 2 * 3 - 4"), "3");
  EXPECT_EQ(value_of("(1 + 2) * 3"), "9");
  EXPECT_EQ(value_of("10 - 4 - 3"), "3");
  EXPECT_EQ(value_of("-2 * -3"), "6");
  EXPECT_EQ(value_of("7 % 4 + 2"), "5");
  EXPECT_EQ(value_of("1 + 1 == 2 and not 3 < 2"), "1");
  EXPECT_EQ(value_of("not 1 == 1"), "0");
  EXPECT_EQ(value_of("0 or 0 and 1"), "0");
  EXPECT_EQ(value_of("1 || 0 && 0"), "1");
  EXPECT_EQ(value_of("true and !false"), "1");
}

TEST(Expression, IntegersStayIntegersUntilADoubleComes) {
  EXPECT_EQ(value_of("n * 2"), "24");
  EXPECT_EQ(value_of("n / 5"), "2.4 double");
  EXPECT_EQ(value_of("n + 0.5"), "12.5 double");
  EXPECT_EQ(value_of("0.5 + n"), "12.5 double");
  EXPECT_EQ(value_of("if(n > 3, 1, 2) + 0.5"), "1.5 double");
  EXPECT_EQ(value_of("0.5 + if(n > 30, 1, 2)"), "2.5 double");
  EXPECT_EQ(value_of("int(t) + 1"), "22");
  EXPECT_EQ(value_of("double(n)"), "12 double");
}

TEST(Expression, ReadsFieldsOfTheItem) {
  EXPECT_EQ(value_of("t > 20 and n == 12"), "1");
  EXPECT_EQ(value_of("`odd-name` * seq"), "21");
  EXPECT_EQ(value_of("time"), "5000000000");
  EXPECT_EQ(value_of("device"), "'a text of more than sixteen bytes'");
  EXPECT_EQ(value_of("has(p) + has(n)"), "1");
  EXPECT_EQ(value_of("p > 1"), "field missing");
  EXPECT_EQ(value_of("has(p) and p > 1"), "0") << "the right side is not looked at";
}

TEST(Expression, KnowsTexts) {
  EXPECT_EQ(value_of("device == 'x'"), "0");
  EXPECT_EQ(value_of("device != 'it''s'"), "1");
  EXPECT_EQ(value_of("starts_with(device, 'a ') and ends_with(device, 'bytes') and contains(device, 'more')"), "1");
  EXPECT_EQ(value_of("length('abc') + length(device)"), "36");
  EXPECT_EQ(value_of("if(n > 3, 'many', 'few')"), "'many'");
  EXPECT_EQ(value_of("'a' < 'b'"), "1");
}

TEST(Expression, HasTheUsualFunctions) {
  EXPECT_EQ(value_of("abs(-3) + min(4, 2) + max(1, 5)"), "10");
  EXPECT_EQ(value_of("sqrt(16) + pow(2, 3)"), "12 double");
  EXPECT_EQ(value_of("round(t) + floor(1.7) + ceil(0.2)"), "24 double");
  EXPECT_EQ(value_of("max(1, 2.5)"), "2.5 double");
}

TEST(Expression, WhatHasNoValueIsAFault) {
  EXPECT_EQ(value_of("n % 0"), "division by zero");
  EXPECT_EQ(value_of("9223372036854775807 + 1"), "integer overflow");
  EXPECT_EQ(value_of("(-9223372036854775807 - 1) % -1"), "0");
  EXPECT_EQ(value_of("-(-9223372036854775807 - 1)"), "integer overflow");
  EXPECT_EQ(value_of("int(1e300)"), "integer overflow");
  EXPECT_EQ(value_of("int(sqrt(-1.0))"), "integer overflow");
  EXPECT_EQ(value_of("n / 0"), "inf double");
  EXPECT_EQ(value_of("not (sqrt(-1.0) > 0) and not (sqrt(-1.0) <= 0)"), "1");
}

TEST(Expression, TestTakesANumberForTrueUnlessItIsZeroOrNaN) {
  const auto test = [](std::string_view text) {
    bool result = false;
    EXPECT_EQ(Expression::compile(text, schema(), "")->test(item(), result), Fault::kNone);
    return result;
  };
  EXPECT_TRUE(test("t"));
  EXPECT_FALSE(test("t - t"));
  EXPECT_FALSE(test("sqrt(-1.0)"));
  EXPECT_TRUE(test("n"));
}

TEST(Expression, MistakesPointAtThePlace) {
  EXPECT_EQ(value_of("t >> 3"), "x.yaml:3: column 4 of 't >> 3': found '>', expected a number, 'text', a field or a function");
  EXPECT_THAT(value_of("t +"), HasSubstr("column 4 of 't +': found the end"));
  EXPECT_THAT(value_of("t = 3"), AllOf(HasSubstr("column 3"), HasSubstr("expected ==")));
  EXPECT_THAT(value_of("(t"), HasSubstr("expected ')'"));
  EXPECT_THAT(value_of("t 3"), HasSubstr("found 3, expected an operator or the end"));
  EXPECT_THAT(value_of("'abc"), HasSubstr("found ' without an end"));
  EXPECT_THAT(value_of("12abc"), HasSubstr("column 1"));
  EXPECT_THAT(value_of("t > 1e999"), HasSubstr("column 5"));
  EXPECT_THAT(value_of(""), HasSubstr("found the end"));
  EXPECT_THAT(value_of("t # 3"), HasSubstr("found '#'"));
}

TEST(Expression, MistakesOfNamesAndTypesSayWhatIsKnown) {
  EXPECT_THAT(value_of("devise == 'x'"), HasSubstr("no field 'devise' in the items (did you mean 'device'?)"));
  EXPECT_THAT(value_of("sqr(2)"), HasSubstr("unknown function sqr() (did you mean 'sqrt'?)"));
  EXPECT_THAT(value_of("device > 3"), HasSubstr("found text and int64 on the two sides of '>', expected two numbers or two texts"));
  EXPECT_THAT(value_of("device + device"), HasSubstr("texts on the two sides of '+'"));
  EXPECT_THAT(value_of("image > 3"), HasSubstr("a tensor"));
  EXPECT_THAT(value_of("not device"), HasSubstr("found a text"));
  EXPECT_THAT(value_of("min(1)"), HasSubstr("found 1 arguments of min(), expected 2"));
  EXPECT_THAT(value_of("if(1, 2, 2.5)"), HasSubstr("the same type"));
  EXPECT_THAT(value_of("length(n)"), HasSubstr("found a number in length(), expected a text"));
  EXPECT_THAT(value_of("has(3)"), HasSubstr("no field in has()"));
}

TEST(Expression, UnitsMustFit) {
  EXPECT_THAT(value_of("t > p"), HasSubstr("units 'degC' and 'bar' on the two sides of '>', expected the same unit"));
  EXPECT_THAT(value_of("t + p"), HasSubstr("units 'degC' and 'bar'"));
  EXPECT_EQ(Expression::compile("max(t, limit) - 3", schema(), "")->unit(), "degC");
  EXPECT_EQ(Expression::compile("t * 2", schema(), "")->unit(), "degC");
  EXPECT_EQ(Expression::compile("t * p", schema(), "")->unit(), "");
  EXPECT_EQ(Expression::compile("t > limit", schema(), "")->unit(), "");
}

TEST(Expression, AnOpenSchemaHasFieldsWhoseTypeIsNotKnown) {
  EXPECT_THAT(Expression::compile("x > 3", Schema{.fields = {}, .open = true}, "f:1").error().message,
              HasSubstr("field 'x', whose type is not known here"));
}

TEST(Expression, TooDeepTooLongAndTooWideAreErrors) {
  EXPECT_THAT(value_of(std::string(2000, '(') + "1"), HasSubstr("at most 64 levels"));
  EXPECT_THAT(value_of(std::string(2000, '-') + "1"), HasSubstr("at most 64 levels"));
  EXPECT_THAT(value_of(std::string(5000, '1')), HasSubstr("5000 bytes, expected at most 4096"));
  std::string wide = "1";
  for (int i = 0; i < 40; ++i) wide = "(1 + " + wide + ")";
  EXPECT_THAT(value_of(wide), HasSubstr("more values at a time than fit"));
  std::string many = "1";
  for (int i = 0; i < 100; ++i) many += " + 1";
  EXPECT_THAT(value_of(many), HasSubstr("at most 64 operators in a row"));
}

}  // namespace
}  // namespace moru::edge
