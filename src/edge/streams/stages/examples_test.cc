// SPDX-License-Identifier: Apache-2.0
// Every stage is documented, and its example works.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

TEST(Stages, AreInTheTableByNameAndHaveWhatTheirKindNeeds) {
  std::set<std::string_view> names;
  for (const StageSpec* spec : all_stages()) {
    EXPECT_TRUE(names.insert(spec->name).second) << spec->name;
    EXPECT_EQ(find_stage(spec->name), spec);
    EXPECT_EQ(spec->create_source != nullptr, spec->kind == StageKind::kSource) << spec->name;
    EXPECT_EQ(spec->create != nullptr, spec->kind != StageKind::kSource) << spec->name;
    EXPECT_NE(spec->doc.find("Options"), std::string_view::npos) << spec->name;
  }
  EXPECT_TRUE(names.contains("infer"));
  EXPECT_TRUE(names.contains("compare_order"));  // of a solution
  EXPECT_EQ(find_stage("inferr"), nullptr);
}

TEST(Stages, ExamplesRunToTheirEnd) {
  for (const StageSpec* spec : all_stages()) testing::run_example(*spec, all_stages());
}

}  // namespace
}  // namespace moru::edge
