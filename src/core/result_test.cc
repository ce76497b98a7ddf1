// SPDX-License-Identifier: Apache-2.0
#include "core/result.h"

#include <gmock/gmock.h>

#include <memory>
#include <set>
#include <type_traits>

#include "core/check.h"

namespace moru {
namespace {

Status refuse(bool yes) {
  if (yes) return fail(ErrorCode::kCorrupt, "found 1, expected 2");
  return {};
}
Result<std::unique_ptr<int>> make(int value) {
  if (value < 0) return fail(ErrorCode::kInvalidArgument, "found a negative number, expected a positive one");
  return std::make_unique<int>(value);
}
Status pass_on(bool yes, bool* reached) {
  MORU_RETURN_IF_ERROR(refuse(yes));
  *reached = true;
  return {};
}
Status pass_on_in(bool yes) {
  MORU_RETURN_IF_ERROR_IN("load 'x'", refuse(yes));
  return {};
}
Result<int> doubled(int value) {
  MORU_ASSIGN_OR_RETURN(const auto pointer, make(value));
  MORU_ASSIGN_OR_RETURN(const auto again, make(*pointer));
  return *pointer + *again;
}
Result<int> doubled_in(int value) {
  MORU_ASSIGN_OR_RETURN_IN("node 17", const auto pointer, make(value));
  return *pointer * 2;
}

TEST(Result, MayNotBeDropped) {
  static_assert(std::is_base_of_v<std::expected<int, Error>, Result<int>>);
  static_assert(!std::is_convertible_v<Result<int>, bool>);
}

TEST(Result, ReturnIfErrorHandsTheErrorOnAndStops) {
  bool reached = false;
  const auto failed = pass_on(true, &reached);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(failed.error().message, "found 1, expected 2");
  EXPECT_FALSE(reached);
  EXPECT_TRUE(pass_on(false, &reached).has_value());
  EXPECT_TRUE(reached);
}

TEST(Result, ContextStandsInFrontAndTheCodeStays) {
  const auto failed = pass_on_in(true);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(failed.error().message, "load 'x': found 1, expected 2");
  EXPECT_TRUE(pass_on_in(false).has_value());
}

TEST(Result, AssignOrReturnTakesWhatCannotBeCopied) {
  EXPECT_EQ(doubled(21).value(), 42);
  ASSERT_FALSE(doubled(-1).has_value());
  EXPECT_EQ(doubled(-1).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(doubled_in(4).value(), 8);
  ASSERT_FALSE(doubled_in(-1).has_value());
  EXPECT_THAT(doubled_in(-1).error().message, testing::StartsWith("node 17: found a negative"));
}

TEST(ErrorCode, EachHasWordsOfItsOwn) {
  std::set<std::string_view> words;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) words.insert(to_string(static_cast<ErrorCode>(code)));
  EXPECT_EQ(words.size(), static_cast<std::size_t>(ErrorCode::kInternal) + 1);
  EXPECT_FALSE(words.contains("unknown"));
}

TEST(CheckDeathTest, EndsTheProcessAndNamesTheCondition) {
  MORU_CHECK(1 + 1 == 2);
  EXPECT_DEATH(MORU_CHECK(1 + 1 == 3), "internal error: check failed: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace moru
