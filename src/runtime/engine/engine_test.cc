// SPDX-License-Identifier: Apache-2.0
// Plans beside the reference, on every ISA of this machine.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"
#include "runtime/engine/arena.h"
#include "runtime/engine/context.h"
#include "runtime/engine/random_check.h"

namespace moru::runtime::engine {
namespace {

using model::Graph;
using model::Tensor;
using testing::HasSubstr;

Graph graph_of(std::string_view text) {
  auto graph = model::parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  const auto inferred = model::infer_shapes(*graph);
  EXPECT_TRUE(inferred.has_value()) << inferred.error().message;
  return std::move(*graph);
}

class EachIsa : public testing::TestWithParam<kernels::Isa> {};
INSTANTIATE_TEST_SUITE_P(Engine, EachIsa, testing::ValuesIn(kernels::machine_isas().begin(), kernels::machine_isas().end()),
                         [](const auto& isa) { return std::string(kernels::to_string(isa.param)); });

/// MORU_NETWORKS=FIRST:COUNT asks for others than the usual ones.
std::pair<std::uint64_t, std::uint64_t> seeds() {
  const char* asked = std::getenv("MORU_NETWORKS");
  if (asked == nullptr) return {1, 400};
  char* end = nullptr;
  const std::uint64_t first = std::strtoull(asked, &end, 10);
  return {first, *end == ':' ? std::strtoull(end + 1, nullptr, 10) : 1};
}

/// All outputs of networks beside the reference.
void expect_agreement(RandomNetwork (*make)(const Choices& choices), kernels::Isa isa) {
  const auto [first, count] = seeds();
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const RandomNetwork network = make(seed);
    const auto found = run_network(network, isa);
    ASSERT_TRUE(found.has_value()) << "seed " << seed << ": " << found.error().message;
    const auto expected = model::evaluate(network.graph, network.inputs);
    ASSERT_TRUE(expected.has_value()) << "seed " << seed << ": " << expected.error().message;
    ASSERT_EQ(difference(network, *found, *expected), "") << "seed " << seed << "\n" << model::to_text(network.graph).substr(0, 4000);
  }
}

TEST_P(EachIsa, LevelsOfRandomNetworksAreTheReferencesToTheBit) { expect_agreement(random_levels, GetParam()); }
TEST_P(EachIsa, FloatsOfRandomNetworksAgreeWithTheReference) { expect_agreement(random_floats, GetParam()); }
TEST_P(EachIsa, ValuesOfRandomNetworksAgreeWithTheReference) { expect_agreement(random_values, GetParam()); }
TEST_P(EachIsa, RandomSequencesAgreeWithTheReference) { expect_agreement(random_sequences, GetParam()); }
/// A state that is fed back makes much of little: this network's third layer, of what the first two round.
TEST_P(EachIsa, ANetworkThatMakesMuchOfLittleIsHeldToThat) {
  const RandomNetwork network = random_sequences(7750);
  const auto found = run_network(network, GetParam()).value();
  const auto expected = model::evaluate(network.graph, network.inputs).value();
  EXPECT_EQ(difference(network, found, expected), "");
  // What is wrong by more than that is seen.
  std::vector<Tensor> wrong;
  for (const Tensor& output : found) wrong.push_back(output.clone());
  for (float& value : wrong.front().mutable_data<float>()) value *= 1.01F;
  EXPECT_THAT(difference(network, wrong, expected), HasSubstr("output 0: found an NMSE of 0.0001"));
}

TEST_P(EachIsa, HybridLayersAreTheReferencesNumberByNumber) {
  const auto [first, count] = seeds();
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const RandomNetwork network = random_hybrid(seed);
    const auto found = run_network(network, GetParam());
    ASSERT_TRUE(found.has_value()) << "seed " << seed << ": " << found.error().message;
    const auto expected = model::evaluate(network.graph, network.inputs);
    ASSERT_TRUE(expected.has_value()) << "seed " << seed << ": " << expected.error().message;
    ASSERT_TRUE(std::ranges::equal(found->at(0).data<float>(), expected->at(0).data<float>()))
        << "seed " << seed << "\n"
        << model::to_text(network.graph).substr(0, 4000);
  }
}

/// Why a plan cannot be made.
Error refused(std::string_view text) {
  const auto plan = Plan::make(graph_of(text), kernels::kernels_for(kernels::Isa::kScalar));
  return plan ? Error{ErrorCode::kInternal, "accepted"} : plan.error();
}

TEST(Engine, WhatItDoesNotHaveIsRefusedWithTheNode) {
  const Error op = refused("graph \"g\" { opset 13 input x: float32[2, 2] y = Det(x) output y }");
  EXPECT_EQ(op.code, ErrorCode::kUnsupported);
  EXPECT_EQ(op.message, "node 0 (Det): the native engine has no op Det");
  const Error type = refused("graph \"g\" { opset 13 input x: float64[2] y = Relu(x) output y }");
  EXPECT_EQ(type.code, ErrorCode::kUnsupported);
  EXPECT_EQ(type.message, "input 'x': 'x' is float64, expected float32, bool or integers of 8 to 64 bits");
  const Error open = refused("graph \"g\" { opset 13 input x: float32[N] y = Relu(x) output y }");
  EXPECT_EQ(open.message, "input 'x': 'x' has shape [N], expected known extents");
  const Error weights = refused("graph \"g\" { opset 13 input x: float32[1, 1, 4] input w: float32[1, 1, 2] y = Conv(x, w) output y }");
  EXPECT_EQ(weights.message, "node 0 (Conv): input 'w' is computed, expected a constant");
}

TEST(Engine, NumbersThatAreNoneAreRefused) {
  constexpr std::string_view kText = R"(graph "g" {{
    opset 13
    input x: int8[1, 1, 4]
    init z = int8[] {{0}}
    init w = int8[1, 1, 2] {{1, 2}}
    init f = float32[] {{{}}}
    y = moru::QConv(x, z, w, z, f, z)
    output y
  }})";
  for (const std::string_view factor : {"nan", "inf"}) {
    const Error error = refused(fmt::format(kText, factor));
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument) << factor;
    EXPECT_THAT(error.message, HasSubstr("node 0 (QConv): found factor"));
  }
  const Error scale = refused("graph \"g\" { opset 13 input x: float32[2] init s = float32[] {0} y = QuantizeLinear(x, s) output y }");
  EXPECT_EQ(scale.message, "node 0 (QuantizeLinear): found scale 0, expected a finite one above 0");
}

TEST(Engine, SumsThatMightLeaveInt32AreRefused) {
  std::string weights = "-128";
  for (int i = 1; i < 70000; ++i) weights += ", -128";
  const Error error = refused(fmt::format(R"(graph "g" {{
    opset 13
    input x: uint8[1, 70000]
    init xz = uint8[] {{255}}
    init w = int8[70000, 1] {{{}}}
    init z = int8[] {{0}}
    init f = float32[] {{1}}
    y = moru::QMatMul(x, xz, w, z, f, z)
    output y
  }})",
                                          weights));
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_EQ(error.message, "node 0 (QMatMul): sums of channel 0 may leave int32");
}

TEST(Engine, TwoContextsOfOnePlanDoNotMeet) {
  const Graph graph = graph_of(R"(graph "g" {
    opset 13
    input x: float32[1, 4]
    init w = float32[4, 3] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
    m = MatMul(x, w)
    y = Tanh(m)
    output m
  })");
  const auto plan = Plan::make(graph, kernels::kernels_for(kernels::machine_isas().back())).value();
  const auto one = Context::make(plan).value();
  const auto two = Context::make(plan).value();
  const float a[] = {1, 0, 0, 0};
  const float b[] = {0, 0, 0, 1};
  float from_a[3];
  float from_b[3];
  const std::byte* const in_a[] = {reinterpret_cast<const std::byte*>(a)};
  const std::byte* const in_b[] = {reinterpret_cast<const std::byte*>(b)};
  std::byte* const out_a[] = {reinterpret_cast<std::byte*>(from_a)};
  std::byte* const out_b[] = {reinterpret_cast<std::byte*>(from_b)};
  one->run(in_a, out_a);
  two->run(in_b, out_b);
  EXPECT_THAT(from_a, testing::ElementsAre(1, 2, 3));
  EXPECT_THAT(from_b, testing::ElementsAre(10, 11, 12));
}

TEST(Engine, EachStepHasATime) {
  const RandomNetwork network = random_levels(1);
  auto context = Context::make(Plan::make(network.graph, kernels::kernels_for(kernels::Isa::kScalar)).value()).value();
  std::vector<const std::byte*> from;
  for (const Tensor& input : network.inputs) from.push_back(input.view().bytes.data());
  std::vector<std::byte> out(1 << 20);
  std::byte* const to[] = {out.data()};
  EXPECT_EQ(context->time_steps(from, to, 3).size(), context->plan().steps().size());
}

/// Bytes of the arena that a graph's plan needs.
std::size_t arena_of(std::string_view text) {
  return Plan::make(graph_of(text), kernels::kernels_for(kernels::Isa::kScalar)).value()->arena_bytes();
}

TEST(Engine, WhatIsUsedNoMoreIsOverwritten) {
  constexpr std::size_t kValue = std::size_t{64} * 64 * sizeof(float) + kernels::kSlack;
  // A chain of functions is one buffer.
  EXPECT_LE(arena_of("graph \"g\" { opset 13 input x: float32[64, 64] a = Tanh(x) b = Sqrt(a) c = Softmax(b) d = Mul(c, c) output d }"),
            kValue + kAlignment);
  // Of a residual the sum takes the place of one that ends there, and not of one that is used again.
  EXPECT_LE(arena_of("graph \"g\" { opset 13 input x: float32[64, 64] input y: float32[64, 64] a = Add(x, y) b = Mul(a, y) output b }"),
            2 * (kValue + kAlignment));
  EXPECT_GE(arena_of("graph \"g\" { opset 13 input x: float32[64, 64] a = Tanh(x) b = Add(a, x) output a output b }"), 2 * kValue);
}

TEST(Engine, WhatIsReadInAnotherOrderIsNotOverwritten) {
  const Graph graph = graph_of(R"(graph "g" {
    opset 13
    input x: float32[1, 2, 2, 2]
    init w = float32[2, 2, 1, 1] {1, 0, 0, 1}
    c = Conv(x, w)
    t = Transpose(c) {perm = [0, 2, 3, 1]}
    y = Add(c, t)
    output y
  })");
  const RandomNetwork network{graph, {Tensor::of<float>({1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}};
  for (const kernels::Isa isa : kernels::machine_isas()) {
    EXPECT_THAT(run_network(network, isa).value().front().data<float>(), testing::ElementsAre(2, 7, 5, 10, 8, 13, 11, 16))
        << to_string(isa);
  }
}

TEST(Engine, StepsKnowTheirWork) {
  const Graph graph = graph_of(R"(graph "g" {
    opset 13
    input x: float32[1, 2, 4, 4]
    init w = float32[4, 2, 1, 1] {1, 2, 3, 4, 5, 6, 7, 8}
    init p = float32[1, 1, 4, 4] {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8}
    c = Conv(x, w)
    r = Relu(c)
    s = Mul(r, p)
    y = Concat(s, r) {axis = 1}
    output y
  })");
  const auto plan = Plan::make(graph, kernels::kernels_for(kernels::Isa::kScalar)).value();
  const auto steps_of = [&](std::string_view ops) {
    std::vector<const StepWork*> works;
    for (const PlannedStep& step : plan->steps()) {
      if (step.work.ops == ops) works.push_back(&step.work);
    }
    return works;
  };
  constexpr std::size_t kPlane = 4 * 4 * sizeof(float);
  const auto conv = steps_of("Conv+Relu");
  ASSERT_EQ(conv.size(), 1U);
  EXPECT_EQ(conv[0]->macs, 4 * 4 * 4 * 2);
  EXPECT_FALSE(conv[0]->on_levels);
  EXPECT_EQ(conv[0]->traffic.read, 2 * kPlane);
  EXPECT_EQ(conv[0]->traffic.written, 4 * kPlane);
  EXPECT_GE(conv[0]->weight_bytes, 8 * sizeof(float));
  const auto mul = steps_of("Mul");
  ASSERT_EQ(mul.size(), 1U);
  EXPECT_EQ(mul[0]->macs, 0);
  EXPECT_EQ(mul[0]->weight_bytes, kPlane) << "a constant that lies in a buffer";
  EXPECT_EQ(mul[0]->traffic.read, 4 * kPlane);
  const auto concat = steps_of("Concat");
  ASSERT_EQ(concat.size(), 2U);
  for (const StepWork* part : concat) {
    EXPECT_EQ(part->traffic.read, 4 * kPlane);
    EXPECT_EQ(part->traffic.written, 4 * kPlane);
  }
  EXPECT_EQ(steps_of("input").size(), 1U);
  EXPECT_EQ(steps_of("output").size(), 1U);
}

}  // namespace
}  // namespace moru::runtime::engine
