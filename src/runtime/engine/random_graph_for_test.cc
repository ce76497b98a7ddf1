// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <string>

#include "core/check.h"
#include "core/random.h"
#include "model/ops/verify.h"
#include "runtime/engine/random_graph.h"

namespace moru::runtime::engine {
namespace {

using model::Dims;
using model::DType;
using model::Graph;
using model::Tensor;
using model::ValueId;

/// Adds a layer after `value`, whose shape it keeps up.
class Builder {
 public:
  explicit Builder(std::uint64_t seed) : rng_(seed) {}

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  bool coin() { return rng_.below(2) == 0; }
  float number() { return static_cast<float>(rng_.normal()); }

  ValueId constant(Tensor tensor) { return graph_.add_initializer(graph_.unused_name("c"), std::move(tensor)); }
  ValueId level(DType dtype, std::int64_t value) {
    return constant(dtype == DType::kInt8 ? Tensor::scalar(static_cast<std::int8_t>(value))
                                          : Tensor::scalar(static_cast<std::uint8_t>(value)));
  }
  ValueId scalar(float value) { return constant(Tensor::scalar(value)); }
  Tensor bytes(DType dtype, Dims dims) {
    Tensor tensor = Tensor::create(dtype, std::move(dims)).value();
    // Mostly the ends of the range now and then, where kernels saturate.
    const bool extreme = between(0, 3) == 0;
    for (std::byte& value : tensor.mutable_bytes()) {
      value = static_cast<std::byte>(extreme ? (coin() ? 0x7F : 0x80) : rng_.below(256));
    }
    return tensor;
  }
  Tensor floats(Dims dims, float scale) {
    Tensor tensor = Tensor::create(DType::kFloat32, std::move(dims)).value();
    for (float& value : tensor.mutable_data<float>()) value = scale * number();
    return tensor;
  }

  ValueId node(std::string op, std::string domain, std::vector<ValueId> inputs, model::Attributes attributes = {}) {
    const ValueId y = graph_.add_value(graph_.unused_name("v"));
    graph_.nodes().push_back({"", std::move(op), std::move(domain), std::move(inputs), {y}, std::move(attributes)});
    MORU_CHECK(model::infer_shapes(graph_).has_value());
    return y;
  }
  Dims dims(ValueId value) {
    Dims dims;
    for (const auto& dim : *graph_.value(value).type.shape) dims.push_back(dim.value);
    return dims;
  }
  DType dtype(ValueId value) { return *graph_.value(value).type.dtype; }

  ValueId input(Tensor tensor) {
    model::SymbolicShape shape;
    for (const std::int64_t extent : tensor.dims()) shape.push_back({extent, {}});
    const ValueId id = graph_.add_value(graph_.unused_name("x"), {tensor.dtype(), shape});
    graph_.inputs.push_back(id);
    inputs_.push_back(std::move(tensor));
    return id;
  }
  RandomNetwork finish(std::vector<ValueId> outputs) {
    graph_.name = "random";
    graph_.opset = 18;
    graph_.outputs = std::move(outputs);
    MORU_CHECK(model::verify(graph_).has_value());
    return {std::move(graph_), std::move(inputs_)};
  }

  /// Kernel, strides, dilations and pads of a window that fits the spatial axes of `x`.
  model::Attributes window(const Dims& x, bool dilated) {
    std::vector<std::int64_t> kernel;
    std::vector<std::int64_t> strides;
    std::vector<std::int64_t> dilations;
    std::vector<std::int64_t> before;
    std::vector<std::int64_t> after;
    for (std::size_t axis = 2; axis < x.size(); ++axis) {
      dilations.push_back(dilated && between(0, 3) == 0 ? 2 : 1);
      const std::int64_t most = std::min<std::int64_t>((x[axis] - 1) / dilations.back() + 1, 5);
      kernel.push_back(between(1, most));
      strides.push_back(between(1, 3));
      before.push_back(between(0, kernel.back() - 1));
      after.push_back(between(0, kernel.back() - 1));
    }
    before.insert(before.end(), after.begin(), after.end());
    return {{"kernel_shape", kernel}, {"strides", strides}, {"dilations", dilations}, {"pads", before}};
  }

 private:
  Rng rng_;
  Graph graph_;
  std::vector<Tensor> inputs_;
};

/// How many groups a convolution of so many channels has, and outputs a group.
struct Groups {
  std::int64_t count;
  std::int64_t outputs;
};
Groups groups_of(Builder& build, std::int64_t channels) {
  const std::int64_t kind = build.between(0, 2);
  if (kind == 0) return {channels, channels};  // depthwise
  if (kind == 1 && channels % 2 == 0) return {2, 2 * build.between(1, 9)};
  return {1, build.between(1, 70)};
}

class Levels {
 public:
  explicit Levels(std::uint64_t seed) : build_(seed) {}

  RandomNetwork make() {
    const Dims dims = build_.coin() ? Dims{build_.between(1, 2), build_.between(1, 20), build_.between(1, 9), build_.between(1, 9)}
                                    : Dims{1, build_.between(1, 40), build_.between(3, 30)};
    value_ = build_.input(build_.bytes(type(), dims));
    for (std::int64_t layers = build_.between(1, 6); layers > 0; --layers) layer();
    return build_.finish({value_});
  }

 private:
  DType type() { return build_.coin() ? DType::kInt8 : DType::kUInt8; }
  std::int64_t any_zero(DType dtype) { return dtype == DType::kInt8 ? build_.between(-128, 127) : build_.between(0, 255); }
  ValueId zero(DType dtype) { return build_.level(dtype, any_zero(dtype)); }
  model::Attributes bounds(DType dtype, model::Attributes attributes = {}) {
    if (build_.between(0, 2) != 0) return attributes;
    const std::int64_t low = dtype == DType::kInt8 ? -128 : 0;
    attributes["low"] = low + build_.between(0, 100);
    attributes["high"] = low + build_.between(120, 255);
    return attributes;
  }
  /// About what brings sums of `terms` products back into the range of levels; now and then one that hits halves.
  float factor(std::int64_t terms) {
    const auto usual = static_cast<float>(1.0 / (60.0 * std::sqrt(static_cast<double>(terms))));
    return build_.between(0, 4) == 0 ? std::exp2(std::round(std::log2(usual))) : usual * (0.5F + std::fabs(build_.number()));
  }

  void layer() {
    const Dims dims = build_.dims(value_);
    switch (build_.between(0, 6)) {
      case 0:
      case 1: return dims.size() > 2 ? convolution(dims) : product(dims);
      case 2: return add();
      case 3: return dims.size() > 2 ? pool(dims) : product(dims);
      case 4: value_ = build_.node("QTable", "moru", {value_, build_.constant(build_.bytes(type(), {256}))}); return;
      case 5: return dims.size() > 2 && build_.between(0, 2) == 0 ? flatten() : concat();
      default: return multiply();
    }
  }

  void convolution(const Dims& x) {
    const auto [group, outputs] = groups_of(build_, x[1]);
    model::Attributes attributes = build_.window(x, true);
    Dims w = {outputs, x[1] / group};
    const auto kernel = std::get<std::vector<std::int64_t>>(attributes["kernel_shape"]);
    w.insert(w.end(), kernel.begin(), kernel.end());
    std::int64_t terms = 1;
    for (std::size_t i = 1; i < w.size(); ++i) terms *= w[i];
    attributes["group"] = group;
    weighted("QConv", w, outputs, terms, bounds(DType::kInt8, attributes));
  }
  void product(const Dims& x) {
    const std::int64_t outputs = build_.between(1, 70);
    weighted("QMatMul", {x.back(), outputs}, outputs, x.back(), bounds(DType::kInt8));
  }
  void weighted(std::string op, const Dims& w, std::int64_t outputs, std::int64_t terms, model::Attributes attributes) {
    const DType x_type = build_.dtype(value_);
    const DType w_type = type();
    const DType y_type = attributes.contains("low") ? DType::kInt8 : type();
    Tensor factors = build_.floats(build_.coin() ? Dims{} : Dims{outputs}, 0);
    for (float& value : factors.mutable_data<float>()) value = factor(terms);
    Tensor bias = Tensor::create(DType::kInt32, {outputs}).value();
    for (std::int32_t& value : bias.mutable_data<std::int32_t>()) value = static_cast<std::int32_t>(build_.between(-9000, 9000));
    const ValueId w_zero = build_.coin() ? build_.level(w_type, w_type == DType::kInt8 ? 0 : 128) : zero(w_type);
    value_ = build_.node(std::move(op), "moru",
                         {value_, zero(x_type), build_.constant(build_.bytes(w_type, w)), w_zero, build_.constant(factors), zero(y_type),
                          build_.constant(bias)},
                         std::move(attributes));
  }
  void pool(const Dims& x) {
    if (build_.coin()) {
      model::Attributes attributes = build_.window(x, true);
      value_ = build_.node("MaxPool", "", {value_}, attributes);
      return;
    }
    model::Attributes attributes;
    if (build_.coin()) attributes = build_.window(x, true);
    attributes["count_include_pad"] = build_.between(0, 1);
    const DType y_type = type();
    value_ = build_.node("QAveragePool", "moru",
                         {value_, zero(build_.dtype(value_)), build_.scalar(0.02F), build_.scalar(0.015F), zero(y_type)}, attributes);
  }
  /// A second operand of the same shape.
  ValueId other() { return build_.coin() ? value_ : build_.input(build_.bytes(type(), build_.dims(value_))); }
  void add() {
    const ValueId b = other();
    const DType y_type = type();
    value_ = build_.node("QAdd", "moru",
                         {value_, zero(build_.dtype(value_)), build_.scalar(build_.number()), b, zero(build_.dtype(b)),
                          build_.scalar(build_.coin() ? 0.5F : build_.number()), zero(y_type)},
                         bounds(y_type));
  }
  void multiply() {
    const ValueId b = other();
    const DType y_type = type();
    value_ = build_.node("QMul", "moru", {value_, zero(build_.dtype(value_)), b, zero(build_.dtype(b)), build_.scalar(0.01F), zero(y_type)},
                         bounds(y_type));
  }
  void concat() {
    Dims dims = build_.dims(value_);
    dims[1] = build_.between(1, 5);
    const ValueId b = build_.input(build_.bytes(build_.dtype(value_), dims));
    value_ = build_.node("Concat", "", {value_, b}, {{"axis", std::int64_t{1}}});
  }
  void flatten() { value_ = build_.node("Flatten", "", {value_}); }
  /// In floats, between levels.
  void softmax() {
    const DType x_type = build_.dtype(value_);
    const ValueId x = build_.node("DequantizeLinear", "", {value_, build_.scalar(0.05F), zero(x_type)});
    const ValueId y = build_.node("Softmax", "", {x}, {{"axis", std::int64_t{build_.coin() ? -1 : 1}}});
    value_ = build_.node("QuantizeLinear", "", {y, build_.scalar(1.0F / 256), zero(type())});
  }

  Builder build_;
  ValueId value_ = 0;
};

class Floats {
 public:
  explicit Floats(std::uint64_t seed) : build_(seed) {}

  RandomNetwork make() {
    const Dims dims = build_.coin() ? Dims{build_.between(1, 2), build_.between(1, 20), build_.between(1, 9), build_.between(1, 9)}
                                    : Dims{1, build_.between(1, 40), build_.between(3, 30)};
    value_ = build_.input(build_.floats(dims, 1));
    for (std::int64_t layers = build_.between(1, 6); layers > 0; --layers) layer();
    return build_.finish({value_});
  }

 private:
  void layer() {
    const Dims dims = build_.dims(value_);
    switch (build_.between(0, 6)) {
      case 0:
      case 1: return dims.size() > 2 ? convolution(dims) : product(dims);
      case 2: return binary(dims);
      case 3: return dims.size() > 2 ? pool(dims) : product(dims);
      case 4: return function();
      case 5: return dims.size() > 2 && build_.between(0, 2) == 0 ? flatten() : concat();
      default: return movement(dims);
    }
  }
  void maybe_relu() {
    if (build_.coin()) value_ = build_.node("Relu", "", {value_});
  }
  void convolution(const Dims& x) {
    const auto [group, outputs] = groups_of(build_, x[1]);
    model::Attributes attributes = build_.window(x, true);
    Dims w = {outputs, x[1] / group};
    const auto kernel = std::get<std::vector<std::int64_t>>(attributes["kernel_shape"]);
    w.insert(w.end(), kernel.begin(), kernel.end());
    attributes["group"] = group;
    const ValueId bias = build_.coin() ? model::kNoValue : build_.constant(build_.floats({outputs}, 1));
    const ValueId old = value_;
    value_ = build_.node("Conv", "", {value_, build_.constant(build_.floats(w, 0.3F)), bias}, attributes);
    if (build_.dims(old) == build_.dims(value_) && build_.coin()) value_ = build_.node("Add", "", {old, value_});
    maybe_relu();
  }
  void product(const Dims& x) {
    const std::int64_t outputs = build_.between(1, 70);
    if (build_.coin()) {
      value_ = build_.node(
          "Gemm", "", {value_, build_.constant(build_.floats({outputs, x.back()}, 0.3F)), build_.constant(build_.floats({outputs}, 1))},
          {{"transB", std::int64_t{1}}});
    } else {
      value_ = build_.node("MatMul", "", {value_, build_.constant(build_.floats({x.back(), outputs}, 0.3F))});
      if (build_.coin()) value_ = build_.node("Add", "", {value_, build_.constant(build_.floats({outputs}, 1))});
    }
    maybe_relu();
  }
  void binary(const Dims& x) {
    Dims dims = x;
    for (std::int64_t& extent : dims) {
      if (build_.between(0, 2) == 0) extent = 1;
    }
    const ValueId b = build_.coin() ? build_.constant(build_.floats(dims, 1)) : build_.input(build_.floats(dims, 1));
    constexpr std::array kOps = {"Add", "Mul", "Sub"};
    value_ = build_.node(kOps[static_cast<std::size_t>(build_.between(0, 2))], "", {value_, b});
    maybe_relu();
  }
  void pool(const Dims& x) {
    switch (build_.between(0, 2)) {
      case 0: value_ = build_.node("MaxPool", "", {value_}, build_.window(x, true)); return;
      case 1: {
        model::Attributes attributes = build_.window(x, false);
        attributes.erase("dilations");
        attributes["count_include_pad"] = std::int64_t{1};
        value_ = build_.node("AveragePool", "", {value_}, attributes);
        return;
      }
      default: value_ = build_.node("GlobalAveragePool", "", {value_});
    }
  }
  void function() {
    constexpr std::array kOps = {"Sigmoid", "Tanh", "HardSwish", "LeakyRelu", "Elu", "Softmax", "Relu"};
    value_ = build_.node(kOps[static_cast<std::size_t>(build_.between(0, 6))], "", {value_});
  }
  void concat() {
    Dims dims = build_.dims(value_);
    dims[1] = build_.between(1, 5);
    value_ = build_.node("Concat", "", {value_, build_.input(build_.floats(dims, 1))}, {{"axis", std::int64_t{1}}});
  }
  void flatten() { value_ = build_.node("Flatten", "", {value_}); }
  void movement(const Dims& x) {
    const auto rank = static_cast<std::int64_t>(x.size());
    if (build_.coin()) {
      std::vector<std::int64_t> perm;
      for (std::int64_t i = 0; i < rank; ++i) perm.push_back(i);
      for (std::size_t i = perm.size(); i-- > 1;)
        std::swap(perm[i], perm[static_cast<std::size_t>(build_.between(0, static_cast<std::int64_t>(i)))]);
      value_ = build_.node("Transpose", "", {value_}, {{"perm", perm}});
      return;
    }
    std::vector<std::int64_t> pads;
    for (std::int64_t i = 0; i < 2 * rank; ++i) pads.push_back(build_.between(0, 2));
    value_ = build_.node(
        "Pad", "",
        {value_, build_.constant(Tensor::of<std::int64_t>({2 * rank}, std::span<const std::int64_t>(pads))), build_.scalar(0.5F)});
  }

  Builder build_;
  ValueId value_ = 0;
};

}  // namespace

RandomNetwork random_levels(std::uint64_t seed) { return Levels(seed).make(); }
RandomNetwork random_floats(std::uint64_t seed) { return Floats(seed).make(); }

RandomNetwork random_hybrid(std::uint64_t seed) {
  Builder build(seed);
  ValueId value = build.input(build.floats({build.between(1, 3), build.between(1, 20), build.between(1, 9), build.between(1, 12)}, 1));
  for (std::int64_t layers = build.between(1, 6); layers > 0; --layers) {
    const Dims x = build.dims(value);
    const model::Attributes attributes = build.window(x, true);
    const std::int64_t outputs = build.between(1, 70);
    Dims w = {outputs, x[1]};
    for (const std::int64_t extent : std::get<std::vector<std::int64_t>>(attributes.at("kernel_shape"))) w.push_back(extent);
    const ValueId scales = build.constant(build.floats(build.coin() ? Dims{} : Dims{outputs}, 0.1F));
    const ValueId bias = build.coin() ? model::kNoValue : build.constant(build.floats({outputs}, 1));
    value = build.node("HybridConv", "moru", {value, build.constant(build.bytes(DType::kInt8, w)), scales, bias}, attributes);
    if (build.coin()) value = build.node("Relu", "", {value});
  }
  return build.finish({value});
}

}  // namespace moru::runtime::engine
