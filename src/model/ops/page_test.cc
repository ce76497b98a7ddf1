// SPDX-License-Identifier: Apache-2.0
#include "model/ops/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"

namespace moru::model {
namespace {

TEST(OpsPage, TheFileIsCurrent) {
  const auto file = read_file(Path(MORU_SOURCE_DIR) / "docs" / "ops.md");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_TRUE(*file == ops_page()) << "docs/ops.md is old; write it anew: moru ops --markdown > docs/ops.md";
}

TEST(OpsPage, TypesAreThoseThatInferTakes) {
  const std::string page = ops_page();
  EXPECT_THAT(page, testing::HasSubstr("| Add | 1 | floats, integers | "));
  EXPECT_THAT(page, testing::HasSubstr("| Not | 1 | bool | "));
  EXPECT_THAT(page, testing::HasSubstr("| Exp | 1 | floats | "));
}

}  // namespace
}  // namespace moru::model
