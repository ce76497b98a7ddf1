// SPDX-License-Identifier: Apache-2.0
// Several threads in one run, and several runs at once: results are those of one, to the bit.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <thread>

#include "core/random.h"
#include "model/ops/verify.h"
#include "runtime/engine/context.h"
#include "runtime/engine/random_graph.h"

namespace moru::runtime::engine {
namespace {

using model::Dims;
using model::DType;
using model::Tensor;
using model::ValueId;

/// Layers large enough to be cut: rows, slices of outputs, channels.
class Large {
 public:
  explicit Large(std::uint64_t seed) : rng_(seed) {}

  RandomNetwork floats() {
    ValueId value = input(numbers({1, 24, 30, 31}, 1));
    value = convolution(value, {64, 24, 3, 3}, 1, {1, 1, 1, 1});  // lines of the image
    value = node("Relu", {value});
    value = convolution(value, {64, 1, 3, 3}, 64, {1, 1, 1, 1});   // depthwise
    value = convolution(value, {300, 64, 1, 1}, 1, {0, 0, 0, 0});  // many rows
    value = node("Sigmoid", {value});
    value = node("MaxPool", {value}, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{4, 4}}});
    value = convolution(value, {333, 300, 1, 1}, 1, {0, 0, 0, 0});  // few rows, many outputs
    value = convolution(value, {40, 333, 3, 3}, 1, {1, 1, 1, 1});   // gathered
    value = node("Softmax", {value}, {{"axis", std::int64_t{-1}}});
    value = node("Flatten", {value});
    const std::int64_t k = graph_.value(value).type.shape->back().value;
    value = node("MatMul", {value, constant(numbers({k, 517}, 0.1F))});  // one row
    return finish(value);
  }

  RandomNetwork levels() {
    ValueId value = input(bytes({1, 24, 30, 31}));
    value = quantized(value, {64, 24, 3, 3}, 1, {1, 1, 1, 1});
    value = quantized(value, {64, 1, 3, 3}, 64, {1, 1, 1, 1});
    value = quantized(value, {300, 64, 1, 1}, 1, {0, 0, 0, 0});
    value = node("MaxPool", {value}, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{4, 4}}});
    value = quantized(value, {333, 300, 1, 1}, 1, {0, 0, 0, 0});
    value = quantized(value, {40, 333, 3, 3}, 1, {1, 1, 1, 1});
    value = node("Flatten", {value});
    const std::int64_t k = graph_.value(value).type.shape->back().value;
    value = node("QMatMul", {value, level(3), constant(bytes({k, 517})), level(-5), factor(k), level(7)}, {}, "moru");
    return finish(value);
  }

 private:
  using Ints = std::vector<std::int64_t>;

  Tensor numbers(Dims dims, float scale) {
    Tensor tensor = Tensor::create(DType::kFloat32, std::move(dims)).value();
    for (float& value : tensor.mutable_data<float>()) value = scale * static_cast<float>(rng_.normal());
    return tensor;
  }
  Tensor bytes(Dims dims) {
    Tensor tensor = Tensor::create(DType::kInt8, std::move(dims)).value();
    for (std::byte& value : tensor.mutable_bytes()) value = static_cast<std::byte>(rng_.below(256));
    return tensor;
  }
  ValueId constant(Tensor tensor) { return graph_.add_initializer(graph_.unused_name("c"), std::move(tensor)); }
  ValueId level(std::int8_t value) { return constant(Tensor::scalar(value)); }
  ValueId factor(std::int64_t terms) {
    return constant(Tensor::scalar(static_cast<float>(1.0 / (80.0 * std::sqrt(static_cast<double>(terms))))));
  }
  ValueId input(Tensor tensor) {
    model::SymbolicShape shape;
    for (const std::int64_t extent : tensor.dims()) shape.push_back({extent, {}});
    const ValueId id = graph_.add_value("x", {tensor.dtype(), shape});
    graph_.inputs.push_back(id);
    inputs_.push_back(std::move(tensor));
    return id;
  }
  ValueId node(std::string op, std::vector<ValueId> inputs, model::Attributes attributes = {}, std::string domain = "") {
    const ValueId y = graph_.add_value(graph_.unused_name("v"));
    graph_.nodes().push_back({"", std::move(op), std::move(domain), std::move(inputs), {y}, std::move(attributes)});
    EXPECT_TRUE(model::infer_shapes(graph_).has_value());
    return y;
  }
  static model::Attributes window(std::int64_t group, const Ints& pads) { return {{"group", group}, {"pads", pads}}; }
  ValueId convolution(ValueId x, const Dims& w, std::int64_t group, const Ints& pads) {
    return node("Conv", {x, constant(numbers(w, 0.1F)), constant(numbers({w[0]}, 1))}, window(group, pads));
  }
  /// Weights that have a zero point, so that rows are summed, too.
  ValueId quantized(ValueId x, const Dims& w, std::int64_t group, const Ints& pads) {
    return node("QConv", {x, level(3), constant(bytes(w)), level(-5), factor(w[1] * w[2] * w[3]), level(-4)}, window(group, pads), "moru");
  }
  RandomNetwork finish(ValueId output) {
    graph_.name = "large";
    graph_.opset = 18;
    graph_.outputs = {output};
    EXPECT_TRUE(model::verify(graph_).has_value());
    return {std::move(graph_), std::move(inputs_)};
  }

  Rng rng_;
  model::Graph graph_;
  std::vector<Tensor> inputs_;
};

/// Every step that can be cut is.
Threads all_of(int count) { return {.count = count, .least_ns = 0}; }

std::vector<std::byte> run(Context& context, const RandomNetwork& network) {
  std::vector<const std::byte*> from;
  for (const Tensor& input : network.inputs) from.push_back(input.view().bytes.data());
  std::size_t bytes = 0;
  for (const Buffer& buffer : context.plan().buffers()) bytes += buffer.kind == Buffer::Kind::kOutput ? buffer.bytes : 0;
  std::vector<std::byte> out(bytes);
  std::byte* const to[] = {out.data()};
  context.run(from, to);
  return out;
}

class EachIsaThreads : public testing::TestWithParam<kernels::Isa> {};
INSTANTIATE_TEST_SUITE_P(Engine, EachIsaThreads, testing::ValuesIn(kernels::machine_isas().begin(), kernels::machine_isas().end()),
                         [](const auto& isa) { return std::string(kernels::to_string(isa.param)); });

TEST_P(EachIsaThreads, ResultsDoNotDependOnThem) {
  std::vector<RandomNetwork> networks;
  networks.push_back(Large(1).floats());
  networks.push_back(Large(2).levels());
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    networks.push_back(random_levels(seed));
    networks.push_back(random_floats(seed));
  }
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const auto plan = Plan::make(networks[i].graph, kernels::kernels_for(GetParam())).value();
    const auto alone = Context::make(plan).value();
    EXPECT_EQ(alone->threads(), 1);
    const std::vector<std::byte> expected = run(*alone, networks[i]);
    for (const int count : {2, 3, 8}) {
      const auto context = Context::make(plan, all_of(count)).value();
      ASSERT_LE(context->threads(), count);
      ASSERT_GE(context->threads(), i < 2 ? count : 1) << "has nothing for them to do";
      for (int again = 0; again < 3; ++again)
        ASSERT_EQ(run(*context, networks[i]), expected) << "network " << i << ", " << count << " threads";
    }
  }
}

TEST(EngineThreads, SmallStepsStayWithTheCaller) {
  const RandomNetwork network = random_levels(1);
  const auto plan = Plan::make(network.graph, kernels::kernels_for(kernels::machine_isas().back())).value();
  const auto context = Context::make(plan, {.count = 8, .least_ns = 1'000'000'000}).value();
  EXPECT_EQ(context->threads(), 1);
  EXPECT_EQ(context->memory_bytes(), aligned_size(plan->arena_bytes()));
}

TEST(EngineThreads, NoMoreThanThereIsWorkFor) {
  const RandomNetwork network = Large(3).levels();
  const auto plan = Plan::make(network.graph, kernels::kernels_for(kernels::machine_isas().back())).value();
  int most = 1;
  for (const PlannedStep& step : plan->steps()) most = std::max(most, step.step->pieces());
  const auto context = Context::make(plan, all_of(1000)).value();
  EXPECT_GT(most, 8);
  EXPECT_EQ(context->threads(), most);
  EXPECT_EQ(context->memory_bytes(),
            aligned_size(plan->arena_bytes()) + static_cast<std::size_t>(most - 1) * aligned_size(plan->worker_bytes()));
  EXPECT_EQ(run(*context, network), run(*Context::make(plan).value(), network));
}

TEST(EngineThreads, OnePlanServesSeveralRunsAtOnce) {
  for (const RandomNetwork& network : {Large(4).floats(), Large(5).levels()}) {
    auto first = Context::make(Plan::make(network.graph, kernels::kernels_for(kernels::machine_isas().back())).value(), all_of(3)).value();
    auto second = first->clone().value();
    EXPECT_EQ(&first->plan(), &second->plan());
    EXPECT_EQ(second->threads(), 3);
    const std::vector<std::byte> expected = run(*first, network);
    std::thread other([&] {
      for (int i = 0; i < 20; ++i) EXPECT_EQ(run(*second, network), expected);
    });
    for (int i = 0; i < 20; ++i) EXPECT_EQ(run(*first, network), expected);
    other.join();
    first.reset();  // the other lives on
    EXPECT_EQ(run(*second, network), expected);
  }
}

}  // namespace
}  // namespace moru::runtime::engine
