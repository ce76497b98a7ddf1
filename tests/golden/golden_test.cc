// SPDX-License-Identifier: Apache-2.0
// The runner itself: what is right passes, and each way of being wrong is seen.
#include "golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compare.h"
#include "model/graph/text.h"

namespace moru::golden {
namespace {

using testing::HasSubstr;

constexpr std::string_view kGood = R"(# name: some/good.test
# description: an identity goes

pass eliminate_identity

input
graph "g" {
  input x: float32[N]
  a = Identity(x)
  y = Relu(a)
  output y
}
end

expect
graph "g" {
  opset 13
  input x: float32[N]
  y: float32[N] = Relu(x)
  output y
}
end

numeric 1 0
)";

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result(text);
  const auto at = result.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) result.replace(at, from.size(), to);
  return result;
}

Outcome run(const std::string& text) {
  const auto test = parse_test(text, "/checkout/some/good.test");
  EXPECT_TRUE(test.has_value()) << test.error().message;
  return test ? run_test(*test) : Outcome{test.error().message, {}};
}

TEST(Golden, AGoodTestPasses) {
  const Outcome outcome = run(std::string(kGood));
  EXPECT_FALSE(outcome.failure.has_value()) << *outcome.failure;
}

TEST(Golden, AnotherGraphFailsAndNamesTheLine) {
  const Outcome outcome = run(replaced(kGood, "= Relu(x)\n", "= Relu(x) as r\n"));
  ASSERT_TRUE(outcome.failure.has_value());
  EXPECT_THAT(*outcome.failure, HasSubstr("line 19: found '  y: float32[N] = Relu(x)', expected '  y: float32[N] = Relu(x) as r'"));
}

TEST(Golden, AnErrorWhereAGraphWasExpectedFails) {
  const Outcome outcome = run(replaced(kGood, "pass eliminate_identity", "pass eliminate_it"));
  ASSERT_TRUE(outcome.failure.has_value());
  EXPECT_THAT(*outcome.failure, HasSubstr("found no such pass"));
}

TEST(Golden, AGraphWhereAnErrorWasExpectedFails) {
  const std::string text = replaced(replaced(kGood, "\nexpect\n", "\nerror\n"), "numeric 1 0\n", "");
  const Outcome outcome = run(text);
  ASSERT_TRUE(outcome.failure.has_value());
  EXPECT_THAT(*outcome.failure, HasSubstr("found a graph, expected the error"));
}

TEST(Golden, AnotherMessageFails) {
  constexpr std::string_view kText =
      "# name: some/good.test\n# description: d\npass nonsense\ninput\ngraph \"g\" { input x: float32[2] output x }\nend\nerror\nno such "
      "pass\n%\nend\n";
  const Outcome bad = run(replaced(kText, "%", "something else"));
  ASSERT_TRUE(bad.failure.has_value());
  EXPECT_THAT(*bad.failure, HasSubstr("expected 'something else' in it"));
  EXPECT_FALSE(run(replaced(kText, "%", "moru passes")).failure.has_value());
  EXPECT_TRUE(run(replaced(kText, "no such pass\n%\n", "")).failure.has_value());
}

TEST(Golden, UpdateWritesWhatWasFound) {
  const std::string text = replaced(kGood, "  y: float32[N] = Relu(x)\n", "");
  const auto test = parse_test(text, "some/good.test");
  ASSERT_TRUE(test.has_value());
  EXPECT_EQ(update_test(text, *test, run_test(*test)), kGood);
}

TEST(Golden, MalformedFilesAreRefused) {
  const auto message = [](const std::string& text) {
    const auto test = parse_test(text, "some/good.test");
    return test ? std::string("no error") : test.error().message;
  };
  EXPECT_THAT(message(replaced(kGood, "some/good", "other")),
              HasSubstr("line 1: found '# name: other.test', expected the path of this file"));
  EXPECT_THAT(message(replaced(kGood, "# name", "# nom")), HasSubstr("found no line '# name: PATH'"));
  EXPECT_THAT(message(replaced(kGood, "# description: an", "# an")), HasSubstr("# description"));
  EXPECT_THAT(message(replaced(kGood, "pass eliminate_identity\n", "")), HasSubstr("found no line 'pass NAME'"));
  EXPECT_THAT(message(replaced(kGood, "numeric 1 0", "numeric 1")),
              HasSubstr("line 24: found 'numeric 1', expected 'numeric SEED TOLERANCE'"));
  EXPECT_THAT(message(replaced(kGood, "numeric 1 0", "numeric 1 nan")), HasSubstr("expected 'numeric SEED TOLERANCE'"));
  EXPECT_THAT(message(replaced(kGood, "numeric 1 0", "numerical")), HasSubstr("line 24: found 'numerical'"));
  EXPECT_THAT(message(replaced(kGood, "end\n\nnumeric", "numeric")), HasSubstr("line 15: found a block without end"));
  EXPECT_THAT(message(replaced(kGood, "expect\n", "input\n")), HasSubstr("line 15: found a second block 'input'"));
  EXPECT_THAT(message(replaced(kGood, "expect\n", "error\n")), HasSubstr("found 'numeric' beside a block 'error'"));
  EXPECT_THAT(message(std::string(kGood) + "error\nx\nend\n"), HasSubstr("found both or none"));
}

model::Graph parsed(std::string_view body) {
  auto graph = model::parse_text("graph \"g\" {\n" + std::string(body) + "\n}");
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return graph ? std::move(*graph) : model::Graph();
}

TEST(CompareGraphs, SeesOtherValuesNamesAndNaN) {
  const auto compare = [](std::string_view a, std::string_view b, double tolerance) {
    const Status status = compare_graphs(parsed(a), parsed(b), 1, tolerance);
    return status ? std::string("equal") : status.error().message;
  };
  constexpr std::string_view kHead = "input x: float32[N, 8]\n";
  const auto with = [&](std::string_view rest) { return std::string(kHead) + std::string(rest); };
  const std::string relu = with("y = Relu(x) output y");
  const std::string nearly = with("init s = float32[] {1.001} a = Relu(x) y = Mul(a, s) output y");
  EXPECT_EQ(compare(relu, relu, 0), "equal");
  EXPECT_THAT(compare(relu, nearly, 1e-7), HasSubstr("output 'y': found a normalised mean square error of 1e-06"));
  EXPECT_EQ(compare(relu, nearly, 1e-5), "equal");
  EXPECT_THAT(compare(relu, with("z = Relu(x) output z"), 1), HasSubstr("found other names"));
  EXPECT_THAT(compare(relu, with("init n = float32[] {nan} y = Mul(x, n) output y"), 1), HasSubstr("error of nan"));
  EXPECT_THAT(compare(relu, with("a = Relu(x) y = Transpose(a) output y"), 1), HasSubstr("found float32[8, 2], expected float32[2, 8]"));
  EXPECT_THAT(compare("input x: int8[4] y = Identity(x) output y", "input x: int8[4] y = Add(x, x) output y", 1),
              HasSubstr("found other values"));
  EXPECT_THAT(compare("input x y = Relu(x) output y", "input x y = Relu(x) output y", 1), HasSubstr("input 'x': found no type and rank"));
}

}  // namespace
}  // namespace moru::golden
