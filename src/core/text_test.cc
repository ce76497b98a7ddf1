// SPDX-License-Identifier: Apache-2.0
#include "core/text.h"

#include <gmock/gmock.h>

#include <limits>

namespace moru {
namespace {

using testing::ElementsAre;

TEST(NearestName, FindsSlipsOfThePen) {
  const std::vector<std::string> names = {"rate_hz", "name", "batch"};
  EXPECT_EQ(nearest_name("rate_hs", names), "rate_hz");
  EXPECT_EQ(nearest_name("ratehz", names), "rate_hz");
  EXPECT_EQ(nearest_name("nmae", names), "name");
  EXPECT_EQ(nearest_name("batches", names), "batch");
  EXPECT_EQ(nearest_name("threshold", names), std::nullopt);
  EXPECT_EQ(nearest_name("x", {}), std::nullopt);
  EXPECT_EQ(nearest_name("", names), std::nullopt);
}

TEST(NearestName, SuggestsNothingThatSharesNoLetter) {
  const std::vector<std::string> names = {"id", "qq"};
  EXPECT_EQ(nearest_name("x", names), std::nullopt);
  EXPECT_EQ(nearest_name("ix", names), "id");
}

TEST(DidYouMean, IsAPhraseOrNothing) {
  const std::vector<std::string> names = {"rate_hz"};
  EXPECT_EQ(did_you_mean("rate_hs", names), " (did you mean 'rate_hz'?)");
  EXPECT_EQ(did_you_mean("colour", names), "");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_THAT(split("a:b::c", ':'), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(split("", ':'), ElementsAre(""));
  EXPECT_THAT(split(":", ':'), ElementsAre("", ""));
}

TEST(Trim, TakesSpaceFromBothEnds) {
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
  EXPECT_EQ(trim(""), "");
}

TEST(InQuotes, EscapesWhatIsNotPrintableAndEndsLongText) {
  EXPECT_EQ(in_quotes("conv1"), "'conv1'");
  EXPECT_EQ(in_quotes(std::string_view("a\n\x1b\0\xc3", 5)), "'a\\x0a\\x1b\\x00\\xc3'");
  EXPECT_EQ(in_quotes(""), "''");
  EXPECT_EQ(in_quotes(std::string(80, 'x')), "'" + std::string(80, 'x') + "'");
  EXPECT_EQ(in_quotes(std::string(81, 'x')), "'" + std::string(80, 'x') + "...'");
}

TEST(Percent, HasTwoDecimalsUnlessTold) {
  EXPECT_EQ(percent(0.925), "92.50 %");
  EXPECT_EQ(percent(0.00004), "0.00 %");
  EXPECT_EQ(percent(0.85, 0), "85 %");
  EXPECT_EQ(percent(-0.0123), "-1.23 %");
}

TEST(HumanBytes, TakesTheUnitThatReadsWell) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1'000), "1.0 kB");
  EXPECT_EQ(human_bytes(1'234'567), "1.2 MB");
  EXPECT_EQ(human_bytes(999'949), "999.9 kB");
  EXPECT_EQ(human_bytes(999'960), "1.0 MB");
  EXPECT_EQ(human_bytes(5'000'000'000'000), "5.0 TB");
  EXPECT_EQ(human_bytes(std::numeric_limits<std::uint64_t>::max()), "18446744.1 TB");
}

TEST(HumanDuration, TakesTheUnitThatReadsWell) {
  EXPECT_EQ(human_duration_ns(0), "0 ns");
  EXPECT_EQ(human_duration_ns(340), "340 ns");
  EXPECT_EQ(human_duration_ns(4'200), "4.2 us");
  EXPECT_EQ(human_duration_ns(850'000), "850 us");
  EXPECT_EQ(human_duration_ns(999'600), "1.00 ms");
  EXPECT_EQ(human_duration_ns(1'240'000), "1.24 ms");
  EXPECT_EQ(human_duration_ns(12'000'000'000), "12.0 s");
  EXPECT_EQ(human_duration_ns(59'990'000'000), "1 min 00 s");
  EXPECT_EQ(human_duration_ns(185'000'000'000), "3 min 05 s");
  EXPECT_EQ(human_duration_ns(-850'000), "-850 us");
  EXPECT_EQ(human_duration_ns(std::numeric_limits<std::int64_t>::min()), "-153722867 min 17 s");
}

TEST(Text, AsUtf8ReplacesWhatIsNone) {
  EXPECT_EQ(as_utf8("a\u00e4\u20ac\U0001f600"), "a\u00e4\u20ac\U0001f600");
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(as_utf8(std::string_view("a\0b", 3)), "a" + replaced + "b");
  EXPECT_EQ(as_utf8("\xC3"), replaced) << "cut off";
  EXPECT_EQ(as_utf8("\xC0\xAF"), replaced + replaced) << "longer than it need be";
  EXPECT_EQ(as_utf8("\xED\xA0\x80"), replaced + replaced + replaced) << "half of a pair of UTF-16";
  EXPECT_EQ(as_utf8("\xF4\x90\x80\x80").size(), 12U) << "beyond U+10FFFF";
  EXPECT_EQ(as_utf8("\xE2\x82x"), replaced + replaced + "x");
}

}  // namespace
}  // namespace moru
