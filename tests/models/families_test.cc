// SPDX-License-Identifier: Apache-2.0
// Whole networks with seeded weights in the style of each family that the native engine is for, as floats and quantised by forge, beside
// the reference, on every ISA of this machine.
#include <gmock/gmock.h>

#include <cmath>
#include <cstdlib>

#include "forge/compress/calibrate.h"
#include "forge/compress/quantize.h"
#include "model/formats/onnx/onnx.h"
#include "model/ops/op.h"
#include "model/passes/pass.h"
#include "runtime/backends/backend.h"
#include "runtime/engine/random_builder.h"
#include "runtime/kernels/isa.h"

namespace moru::runtime {
namespace {

using engine::RandomNetwork;
using model::Attributes;
using model::Dims;
using model::DType;
using model::Tensor;
using model::ValueId;
using Ints = std::vector<std::int64_t>;

/// Layers as exporters write them.
class Net : public engine::Builder {
 public:
  using Builder::Builder;

  ValueId weights(const Dims& dims) {
    std::int64_t terms = 1;
    for (std::size_t i = 1; i < dims.size(); ++i) terms *= dims[i];
    return constant(floats(dims, std::sqrt(1.5F / static_cast<float>(terms))));
  }
  ValueId ints(const Ints& numbers) {
    return constant(Tensor::of<std::int64_t>({std::ssize(numbers)}, std::span<const std::int64_t>(numbers)));
  }
  ValueId one(std::string op, ValueId x, Attributes attributes = {}) { return node(std::move(op), "", {x}, std::move(attributes)); }
  ValueId two(std::string op, ValueId a, ValueId b) { return node(std::move(op), "", {a, b}); }

  struct Kernel {
    std::int64_t size = 1;
    std::int64_t stride = 1;
    std::int64_t dilation = 1;
    bool depthwise = false;
    bool causal = false;  ///< all padding in front
  };
  ValueId conv(ValueId x, std::int64_t outputs, const Kernel& kernel) {
    const Dims from = dims(x);
    const std::size_t axes = from.size() - 2;
    Dims w = {outputs, kernel.depthwise ? 1 : from[1]};
    w.insert(w.end(), axes, kernel.size);
    const std::int64_t reach = (kernel.size - 1) * kernel.dilation;
    Ints pads(axes, kernel.causal ? reach : reach / 2);
    pads.insert(pads.end(), axes, kernel.causal ? 0 : reach / 2);
    return node("Conv", "", {x, weights(w), constant(floats({outputs}, 0.1F))},
                {{"group", kernel.depthwise ? from[1] : std::int64_t{1}},
                 {"strides", Ints(axes, kernel.stride)},
                 {"dilations", Ints(axes, kernel.dilation)},
                 {"pads", pads}});
  }
  ValueId batch_norm(ValueId x) {
    const Dims channels = {dims(x)[1]};
    Tensor variance = floats(channels, 0.3F);
    for (float& value : variance.mutable_data<float>()) value = 0.5F + std::fabs(value);
    return node("BatchNormalization", "",
                {x, constant(floats(channels, 1)), constant(floats(channels, 0.1F)), constant(floats(channels, 0.1F)), constant(variance)});
  }
  ValueId relu6(ValueId x) { return node("Clip", "", {x, scalar(0), scalar(6)}); }
  ValueId dense(ValueId x, std::int64_t outputs) {
    return node("Gemm", "", {x, weights({outputs, dims(x).back()}), constant(floats({outputs}, 0.1F))}, {{"transB", std::int64_t{1}}});
  }
  ValueId by_matrix(ValueId x, std::int64_t outputs) {
    const ValueId product =
        two("MatMul", x, constant(floats({dims(x).back(), outputs}, 1.0F / std::sqrt(static_cast<float>(dims(x).back())))));
    return two("Add", product, constant(floats({outputs}, 0.1F)));
  }
  ValueId pooled(ValueId x) { return one("Flatten", one("GlobalAveragePool", x)); }
  ValueId squeeze_excite(ValueId x) {
    const std::int64_t channels = dims(x)[1];
    const ValueId small = one("Relu", conv(one("GlobalAveragePool", x), channels / 4, {}));
    return two("Mul", x, one("HardSigmoid", conv(small, channels, {}), {{"alpha", 1.0F / 6}, {"beta", 0.5F}}));
  }
};

RandomNetwork mobilenet_v3(std::uint64_t seed) {
  Net net(seed);
  ValueId x = net.input(net.floats({1, 3, 32, 32}, 1));
  x = net.one("HardSwish", net.batch_norm(net.conv(x, 16, {.size = 3, .stride = 2})));
  for (const std::int64_t stride : {1, 2}) {
    const ValueId before = x;
    x = net.one("HardSwish", net.conv(x, 48, {}));
    x = net.one("HardSwish", net.conv(x, 48, {.size = 5, .stride = stride, .depthwise = true}));
    x = net.conv(net.squeeze_excite(x), 16, {});
    if (stride == 1) x = net.two("Add", x, before);
  }
  return net.finish({net.one("Softmax", net.dense(net.one("HardSwish", net.dense(net.pooled(x), 40)), 10))});
}

RandomNetwork efficientnet_lite(std::uint64_t seed) {
  Net net(seed);
  ValueId x = net.input(net.floats({1, 3, 32, 32}, 1));
  x = net.relu6(net.batch_norm(net.conv(x, 16, {.size = 3, .stride = 2})));
  for (const std::int64_t stride : {1, 2, 1}) {
    const ValueId before = x;
    x = net.relu6(net.conv(x, 64, {}));
    x = net.relu6(net.conv(x, 64, {.size = stride == 2 ? 5 : 3, .stride = stride, .depthwise = true}));
    x = net.conv(x, 16, {});
    if (stride == 1) x = net.two("Add", x, before);
  }
  return net.finish({net.dense(net.pooled(net.relu6(net.conv(x, 80, {}))), 10)});
}

RandomNetwork resnet(std::uint64_t seed) {
  Net net(seed);
  ValueId x = net.input(net.floats({1, 3, 24, 24}, 1));
  x = net.one("Relu", net.conv(x, 16, {.size = 3}));
  x = net.one("MaxPool", x, {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}});
  for (const std::int64_t outputs : {16, 32}) {
    const std::int64_t stride = outputs / 16;
    const ValueId shortcut = stride == 1 ? x : net.conv(x, outputs, {.stride = stride});
    x = net.conv(net.one("Relu", net.conv(x, outputs, {.size = 3, .stride = stride})), outputs, {.size = 3});
    x = net.one("Relu", net.two("Add", x, shortcut));
  }
  return net.finish({net.dense(net.pooled(x), 10)});
}

/// Boxes and scores of two scales, as rows.
RandomNetwork blazeface(std::uint64_t seed) {
  Net net(seed);
  ValueId x = net.input(net.floats({1, 3, 32, 32}, 1));
  x = net.one("Relu", net.conv(x, 24, {.size = 5, .stride = 2}));
  std::vector<ValueId> scores;
  std::vector<ValueId> boxes;
  for (const std::int64_t anchors : {2, 6}) {
    const ValueId pooled = net.one("MaxPool", x, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    const ValueId wide = net.node("Pad", "", {pooled, net.ints({0, 0, 0, 0, 0, 8, 0, 0}), net.scalar(0)});
    const std::int64_t channels = net.dims(wide)[1];
    x = net.one("Relu",
                net.two("Add", net.conv(net.conv(x, net.dims(x)[1], {.size = 5, .stride = 2, .depthwise = true}), channels, {}), wide));
    const auto rows = [&](ValueId head, std::int64_t width) {
      return net.two("Reshape", net.one("Transpose", head, {{"perm", Ints{0, 2, 3, 1}}}), net.ints({1, -1, width}));
    };
    scores.push_back(rows(net.conv(x, anchors, {}), 1));
    boxes.push_back(rows(net.conv(x, anchors * 16, {}), 16));
  }
  const ValueId all = net.node("Concat", "", scores, {{"axis", std::int64_t{1}}});
  return net.finish({net.one("Sigmoid", all), net.node("Concat", "", boxes, {{"axis", std::int64_t{1}}})});
}

RandomNetwork autoencoder(std::uint64_t seed) {
  Net net(seed);
  ValueId x = net.input(net.floats({1, 1, 16, 16}, 1));
  x = net.one("Relu", net.conv(x, 8, {.size = 3, .stride = 2}));
  x = net.one("Relu", net.conv(x, 16, {.size = 3, .stride = 2}));
  x = net.node("ConvTranspose", "", {x, net.weights({16, 8, 3, 3})},
               {{"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"output_padding", Ints{1, 1}}});
  x = net.one("Relu", net.batch_norm(x));
  x = net.node("Resize", "", {x, model::kNoValue, net.constant(Tensor::of<float>({4}, {1, 1, 2, 2}))}, {{"mode", std::string("linear")}});
  return net.finish({net.one("Sigmoid", net.conv(x, 1, {.size = 3}))});
}

/// Causal convolutions, each twice as far apart as the one before.
RandomNetwork tcn(std::uint64_t seed) {
  Net net(seed);
  ValueId x = net.input(net.floats({1, 6, 50}, 1));
  for (const std::int64_t dilation : {1, 2, 4, 8}) {
    const ValueId inner = net.one("Relu", net.conv(x, 24, {.size = 3, .dilation = dilation, .causal = true}));
    const ValueId outer = net.one("Relu", net.conv(inner, 24, {.size = 3, .dilation = dilation, .causal = true}));
    x = net.one("Relu", net.two("Add", outer, net.dims(x)[1] == 24 ? x : net.conv(x, 24, {})));
  }
  return net.finish({net.dense(net.pooled(x), 5)});
}

RandomNetwork conv_1d(std::uint64_t seed) {
  Net net(seed);
  ValueId x = net.input(net.floats({1, 3, 64}, 1));
  for (const std::int64_t outputs : {16, 32}) {
    x = net.one("Relu", net.batch_norm(net.conv(x, outputs, {.size = 5})));
    x = net.one("MaxPool", x, {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}});
  }
  x = net.one("AveragePool", x, {{"kernel_shape", Ints{4}}, {"strides", Ints{4}}});
  return net.finish({net.dense(net.one("Flatten", x), 6)});
}

/// The last state of two layers decides.
RandomNetwork recurrent(std::uint64_t seed, const std::string& op, std::int64_t gates) {
  Net net(seed);
  constexpr std::int64_t kHidden = 20;
  ValueId x = net.one("Transpose", net.input(net.floats({2, 12, 9}, 1)), {{"perm", Ints{1, 0, 2}}});
  std::vector<ValueId> made;
  for (const std::int64_t directions : {2, 1}) {
    const std::int64_t rows = gates * kHidden;
    Attributes attributes = {{"hidden_size", std::int64_t{kHidden}},
                             {"direction", std::string(directions == 2 ? "bidirectional" : "forward")}};
    if (op == "GRU") attributes["linear_before_reset"] = std::int64_t{1};
    made =
        net.node_of(op,
                    {x, net.constant(net.floats({directions, rows, net.dims(x)[2]}, 0.3F)),
                     net.constant(net.floats({directions, rows, kHidden}, 0.3F)), net.constant(net.floats({directions, 2 * rows}, 0.1F))},
                    2, attributes);
    x = net.two("Reshape", net.one("Transpose", made[0], {{"perm", Ints{0, 2, 1, 3}}}), net.ints({0, 0, -1}));
  }
  return net.finish({net.one("Softmax", net.dense(net.two("Squeeze", made[1], net.ints({0})), 4))});
}
RandomNetwork lstm(std::uint64_t seed) { return recurrent(seed, "LSTM", 4); }
RandomNetwork gru(std::uint64_t seed) { return recurrent(seed, "GRU", 3); }

/// Two layers with heads, a mask of what is padding, and a shape that is computed, as PyTorch exports them.
RandomNetwork attention(std::uint64_t seed) {
  Net net(seed);
  constexpr std::int64_t kWidth = 32;
  constexpr std::int64_t kHeads = 4;
  Tensor tokens = Tensor::create(DType::kInt64, {2, 10}).value();
  for (std::int64_t& token : tokens.mutable_data<std::int64_t>()) token = net.between(0, 29);
  const ValueId ids = net.input(std::move(tokens));
  ValueId x = net.two("Gather", net.constant(net.floats({30, kWidth}, 1)), ids);
  x = net.two("Add", x, net.constant(net.floats({1, 10, kWidth}, 0.5F)));
  const ValueId padding = net.two("Equal", ids, net.constant(Tensor::scalar(std::int64_t{0})));
  const ValueId hidden = net.node("Where", "", {padding, net.scalar(-1e4F), net.scalar(0)});
  const ValueId mask = net.two("Unsqueeze", hidden, net.ints({1, 2}));
  const ValueId shape = net.one("Shape", x);
  const auto extent = [&](std::int64_t axis) { return net.node("Gather", "", {shape, net.ints({axis})}, {{"axis", std::int64_t{0}}}); };
  const ValueId split =
      net.node("Concat", "", {extent(0), extent(1), net.ints({kHeads}), net.ints({kWidth / kHeads})}, {{"axis", std::int64_t{0}}});
  const ValueId joined = net.node("Concat", "", {extent(0), extent(1), net.ints({kWidth})}, {{"axis", std::int64_t{0}}});
  const auto norm = [&](ValueId value) {
    return net.node("LayerNormalization", "", {value, net.constant(net.floats({kWidth}, 1)), net.constant(net.floats({kWidth}, 0.1F))});
  };
  for (int layer = 0; layer < 2; ++layer) {
    const auto heads = [&](Ints perm) {
      return net.one("Transpose", net.two("Reshape", net.by_matrix(x, kWidth), split), {{"perm", std::move(perm)}});
    };
    const ValueId scores = net.two("Div", net.two("MatMul", heads({0, 2, 1, 3}), heads({0, 2, 3, 1})), net.scalar(std::sqrt(8.0F)));
    const ValueId mixed = net.two("MatMul", net.one("Softmax", net.two("Add", scores, mask)), heads({0, 2, 1, 3}));
    const ValueId all = net.two("Reshape", net.one("Transpose", mixed, {{"perm", Ints{0, 2, 1, 3}}}), joined);
    x = norm(net.two("Add", x, net.by_matrix(all, kWidth)));
    // Gelu as it was written before it was an op.
    const ValueId inner = net.by_matrix(x, 2 * kWidth);
    const ValueId erf = net.two("Add", net.one("Erf", net.two("Div", inner, net.scalar(std::sqrt(2.0F)))), net.scalar(1));
    x = norm(net.two("Add", x, net.by_matrix(net.two("Mul", net.two("Mul", inner, erf), net.scalar(0.5F)), kWidth)));
  }
  return net.finish({net.dense(net.node("ReduceMean", "", {x, net.ints({1})}, {{"keepdims", std::int64_t{0}}}), 3)});
}

/// Layers whose weights are integers of 8 and of 4 bits.
RandomNetwork packed_layers(std::uint64_t seed) {
  Net net(seed);
  ValueId x = net.input(net.floats({3, 64}, 1));
  for (const DType dtype : {DType::kInt8, DType::kInt4}) {
    Tensor levels = Tensor::create(DType::kInt8, {64, 64}).value();
    const std::int64_t half = dtype == DType::kInt8 ? 128 : 8;
    for (std::int8_t& level : levels.mutable_data<std::int8_t>()) level = static_cast<std::int8_t>(net.between(-half, half - 1));
    Tensor scale = net.floats({64}, 0.1F / static_cast<float>(half));
    for (float& value : scale.mutable_data<float>()) value = std::fabs(value) + 1e-4F;
    const ValueId w = net.node("DequantizeLinear", "",
                               {net.constant(dtype == DType::kInt8 ? levels : model::pack_4bit(levels).value()), net.constant(scale)},
                               {{"axis", std::int64_t{1}}});
    x = net.one("Relu", net.two("Add", net.two("MatMul", x, w), net.constant(net.floats({64}, 0.1F))));
  }
  RandomNetwork network = net.finish({x});
  network.graph.opset = 21;  // older ones have no integers of 4 bits
  return network;
}

struct Family {
  const char* name;
  RandomNetwork (*make)(std::uint64_t seed);
};
constexpr Family kFamilies[] = {{"MobileNetV3", mobilenet_v3},
                                {"EfficientNetLite", efficientnet_lite},
                                {"ResNet", resnet},
                                {"BlazeFace", blazeface},
                                {"Autoencoder", autoencoder},
                                {"Tcn", tcn},
                                {"Conv1d", conv_1d},
                                {"Lstm", lstm},
                                {"Gru", gru},
                                {"Attention", attention},
                                {"PackedLayers", packed_layers}};

double nmse(const Tensor& found, const Tensor& expected) {
  double error = 0;
  double power = 1e-30;
  for (std::size_t i = 0; i < expected.data<float>().size(); ++i) {
    const double wanted = double{expected.data<float>()[i]};
    error += (double{found.data<float>()[i]} - wanted) * (double{found.data<float>()[i]} - wanted);
    power += wanted * wanted;
  }
  return error / power;
}

void expect_agreement(const model::Graph& graph, const std::vector<Tensor>& inputs, double bound) {
  const auto expected = model::evaluate(graph, inputs);
  ASSERT_TRUE(expected.has_value()) << expected.error().message;
  const std::string model = model::write_onnx(graph).value();
  for (const kernels::Isa isa : kernels::machine_isas()) {
    SCOPED_TRACE(kernels::to_string(isa));
    setenv("MORU_ISA", std::string(kernels::to_string(isa)).c_str(), 1);
    const auto session = load_session("native", model);
    unsetenv("MORU_ISA");
    ASSERT_TRUE(session.has_value()) << session.error().message;
    const auto found = (*session)->run_once(inputs);
    ASSERT_TRUE(found.has_value()) << found.error().message;
    for (std::size_t i = 0; i < expected->size(); ++i) EXPECT_LE(nmse(found->at(i), expected->at(i)), bound) << "output " << i;
  }
}

class Families : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Each, Families, testing::ValuesIn(kFamilies), [](const auto& family) { return std::string(family.param.name); });

TEST_P(Families, AgreeWithTheReferenceInFloats) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const RandomNetwork network = GetParam().make(seed);
    expect_agreement(network.graph, network.inputs, 1e-9);
  }
}

/// All but the last, whose weights are integers as it is.
class QuantizedFamilies : public testing::TestWithParam<Family> {};
INSTANTIATE_TEST_SUITE_P(Each, QuantizedFamilies, testing::ValuesIn(std::begin(kFamilies), std::end(kFamilies) - 1),
                         [](const auto& family) { return std::string(family.param.name); });

TEST_P(QuantizedFamilies, AgreeWithTheReference) {
  RandomNetwork network = GetParam().make(4);
  const std::string passes[] = {"fold_batch_norm"};
  ASSERT_TRUE(model::run_passes(network.graph, passes).has_value());
  const auto ranges = forge::calibrate(network.graph, forge::values_to_quantize(network.graph),
                                       std::vector<std::vector<Tensor>>{network.inputs}, forge::reference_runner());
  ASSERT_TRUE(ranges.has_value()) << ranges.error().message;
  auto quantised = forge::quantize(network.graph, *ranges);
  ASSERT_TRUE(quantised.has_value()) << quantised.error().message;
  // What is compared is the definition: the fused graph by the reference.
  const std::string fuse[] = {"eliminate_identity", "fuse_qdq"};
  ASSERT_TRUE(model::run_passes(*quantised, fuse).has_value());
  // Levels are the same to the bit; a float between that is rounded to a level may fall on its other side.
  expect_agreement(*quantised, network.inputs, 1e-3);
}

}  // namespace
}  // namespace moru::runtime
