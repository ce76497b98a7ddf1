// SPDX-License-Identifier: Apache-2.0
#include "runtime/supports/supports.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>

#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::runtime {
namespace {

using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const SupportOptions kOptions{.program = {MORU_WORKER}};

model::Graph graph_of(std::string_view text) {
  auto graph = model::parse_text(text).value();
  EXPECT_TRUE(model::verify(graph).has_value());
  EXPECT_TRUE(model::infer_shapes(graph).has_value());
  return graph;
}

/// Two nodes that everybody runs, and between them two of one kind that nobody knows.
constexpr std::string_view kForeign = R"(graph "g" { opset 13 input x: float32[N, 4]
  a: float32[N, 4] = Relu(x)
  b: float32[N, 4] = com.example::Wobble(a) {by = 2} as first
  c: float32[N, 4] = com.example::Wobble(b) {by = 2} as second
  y: float32[N, 4] = Neg(c)
  output y })";

constexpr std::string_view kPlain =
    R"(graph "g" { opset 13 input x: float32[N, 4] a: float32[N, 4] = Relu(x) y: float32[N, 4] = Neg(a) output y })";

class Supports : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Each, Supports, testing::Values("onnxruntime", "openvino", "litert", "reference"),
                         [](const auto& backend) { return std::string(backend.param); });

TEST_P(Supports, AModelThatIsTakenWholeIsNotTriedInParts) {
  const auto found = supports(GetParam(), graph_of(kPlain), kOptions);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_TRUE(found->all());
  EXPECT_FALSE(found->version.empty());
  EXPECT_THAT(found->refused, IsEmpty());
  EXPECT_EQ(found->nodes.size(), 2U);
  EXPECT_THAT(found->nodes, Each(Field(&NodeSupport::runs, true)));
  EXPECT_EQ(found->tried, 0U);
}

TEST_P(Supports, ANodeThatIsRefusedIsNamedAndTheOthersAreNot) {
  const auto found = supports(GetParam(), graph_of(kForeign), kOptions);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_FALSE(found->all());
  ASSERT_EQ(found->nodes.size(), 4U);
  EXPECT_TRUE(found->nodes[0].runs) << found->nodes[0].reason;
  EXPECT_FALSE(found->nodes[1].runs);
  EXPECT_FALSE(found->nodes[2].runs);
  EXPECT_TRUE(found->nodes[3].runs) << found->nodes[3].reason;
  EXPECT_THAT(found->nodes[1].reason, HasSubstr("Wobble"));
  EXPECT_EQ(found->count_refused(), 2U);
}

TEST(SupportsOf, NodesOfOneKindAreTriedOnce) {
  std::size_t looked = 0;
  SupportOptions options = kOptions;
  options.progress = [&](std::size_t done, std::size_t of) {
    looked = done;
    EXPECT_EQ(of, 4U);
  };
  const auto found = supports("onnxruntime", graph_of(kForeign), options);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_THAT(found->refused, HasSubstr("Wobble"));
  EXPECT_EQ(found->tried, 3U);
  EXPECT_EQ(looked, 4U);
}

TEST(SupportsOf, ANodeThatBringsItsLibraryDownCostsThatNodeAlone) {
  const auto found = supports("onnxruntime", graph_of(kForeign), {.program = {MORU_WORKER, "fragile"}});
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_THAT(found->refused, HasSubstr("ended by signal 6 (SIGABRT) while loading the model"));
  EXPECT_TRUE(found->nodes[0].runs) << found->nodes[0].reason;
  EXPECT_THAT(found->nodes[1].reason, HasSubstr("ended by signal 6 (SIGABRT) while loading the model"));
  EXPECT_FALSE(found->nodes[2].runs);
  EXPECT_TRUE(found->nodes[3].runs) << found->nodes[3].reason;
}

TEST(SupportsOf, ATypeThatARuntimeHasNoKernelForIsRefusedInItsWords) {
  const auto found = supports("onnxruntime", graph_of(R"(graph "g" { opset 13 input x: float32[4] input h: bfloat16[4]
    y: float32[4] = Sin(x) z: bfloat16[4] = Mul(h, h) output y output z })"),
                              kOptions);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_TRUE(found->nodes[0].runs) << found->nodes[0].reason;
  EXPECT_FALSE(found->nodes[1].runs);
  EXPECT_THAT(found->nodes[1].reason, HasSubstr("ONNX Runtime says 'Could not find an implementation for Mul(13)"));
}

TEST(SupportsOf, TheReferenceKnowsThatItRunsNoControlFlow) {
  const auto found = supports("reference", graph_of(R"(graph "g" { opset 13 input c: bool[] input x: float32[2]
    h: float32[2] = Abs(x)
    z: float32[2] = If(c) {else_branch = graph "else" (h) { opset 13 input h: float32[2] y: float32[2] = Neg(h) output y },
      then_branch = graph "then" (h) { opset 13 input h: float32[2] y: float32[2] = Abs(h) output y }} as branch
    output z })"),
                              kOptions);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_THAT(found->refused, IsEmpty());  // it is loaded, and would not run
  EXPECT_FALSE(found->all());
  EXPECT_TRUE(found->nodes[0].runs);
  EXPECT_THAT(found->nodes[1].reason, StartsWith("backend reference: node 1 (If 'branch'): found an op without a reference"));
  EXPECT_EQ(found->tried, 0U);
}

TEST(SupportsOf, AModelCanBeRefusedThoughItsNodesAreTaken) {
  const auto found = supports("reference", graph_of(R"(graph "g" { opset 13 input x: float32[*] y = Relu(x) output y })"), kOptions);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_THAT(found->refused, HasSubstr("'x'"));
  EXPECT_EQ(found->count_refused(), 0U);
  EXPECT_FALSE(found->all());
}

TEST(SupportsOf, ALibraryThatCrashesIsAnErrorAndNotANode) {
  ASSERT_EQ(::setenv("MORU_BACKEND_PATH", fmt::format("{}/crash", MORU_HOSTILE).c_str(), 1), 0);
  const auto found = supports("onnxruntime", graph_of(kPlain), kOptions);
  ASSERT_EQ(::unsetenv("MORU_BACKEND_PATH"), 0);
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(found.error().message, HasSubstr("ended by signal 11 (SIGSEGV) while loading its library"));
}

TEST(SupportsOf, ABackendThatIsNotThereIsAnError) {
  EXPECT_EQ(supports("nonesuch", graph_of(kPlain), kOptions).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(supports("qnn", graph_of(kPlain), kOptions).error().code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace moru::runtime
