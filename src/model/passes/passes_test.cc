// SPDX-License-Identifier: Apache-2.0
// The table and the runner. What each pass does is tested by the files in tests/golden/passes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "model/graph/text.h"
#include "model/passes/pass.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

TEST(PassTable, EachPassIsDocumentedAndChangesItsExample) {
  std::set<std::string_view> names;
  ASSERT_FALSE(all_passes().empty());
  for (const PassSpec* pass : all_passes()) {
    SCOPED_TRACE(pass->name);
    EXPECT_TRUE(names.insert(pass->name).second);
    EXPECT_EQ(find_pass(pass->name), pass);
    EXPECT_GT(pass->doc.size(), 40U);
    auto graph = parse_text(pass->example);
    ASSERT_TRUE(graph.has_value()) << graph.error().message;
    const std::vector<std::string> only{std::string(pass->name)};
    const auto reports = run_passes(*graph, only);
    ASSERT_TRUE(reports.has_value()) << reports.error().message;
    EXPECT_GT(reports->front().changes, 0);
    // A pass finds nothing more to do in what it made.
    const auto again = run_passes(*graph, only);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(again->front().changes, 0);
  }
}

TEST(RunPasses, ReportsWhatEachDid) {
  auto graph = parse_text(R"(graph "g" {
    input x: float32[N, 1, 4]
    init w = float32[1, 1, 1] {2}
    init one = float32[1] {1}
    a = Conv(x, w)
    b = Identity(a)
    y = BatchNormalization(b, one, one, one, one)
    output y
  })");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  const auto reports = run_passes(*graph, std::vector<std::string>{"fold_batch_norm", "eliminate_identity", "fold_batch_norm"});
  ASSERT_TRUE(reports.has_value()) << reports.error().message;
  ASSERT_EQ(reports->size(), 3U);
  EXPECT_EQ((*reports)[0].changes, 0);
  EXPECT_EQ((*reports)[1].changes, 1);
  EXPECT_EQ((*reports)[1].nodes_before, 3U);
  EXPECT_EQ((*reports)[1].nodes_after, 2U);
  EXPECT_EQ((*reports)[2].changes, 1);
  EXPECT_EQ((*reports)[2].name, "fold_batch_norm");
  EXPECT_GE((*reports)[2].duration, 0);
  EXPECT_EQ(to_string(*graph->value(graph->outputs[0]).type.shape), "[N, 1, 4]");
}

TEST(RunPasses, UnknownPassNamesTheNearestAndNothingRuns) {
  auto graph = parse_text("graph \"g\" { input x: float32[2] a = Identity(x) y = Relu(a) output y }");
  ASSERT_TRUE(graph.has_value());
  const auto reports = run_passes(*graph, std::vector<std::string>{"eliminate_identity", "fold_batchnorm"});
  ASSERT_FALSE(reports.has_value());
  EXPECT_EQ(reports.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(reports.error().message, HasSubstr("did you mean 'fold_batch_norm'?"));
  EXPECT_EQ(graph->nodes().size(), 2U);
}

TEST(RunPasses, RefusesABadGraph) {
  auto graph = parse_text("graph \"g\" { input x: float32[2] y = Transpose(x) {perm = [1]} output y }");
  ASSERT_TRUE(graph.has_value());
  const auto reports = run_passes(*graph, {});
  ASSERT_FALSE(reports.has_value());
  EXPECT_EQ(reports.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace moru::model
