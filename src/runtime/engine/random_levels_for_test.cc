// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/random_builder.h"

namespace moru::runtime::engine {
namespace {

class Levels {
 public:
  explicit Levels(const Choices& choices) : build_(choices) {}

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
    if (build_.between(0, 39) == 0) return build_.coin() ? 1e5F : 1e38F;
    const auto usual = static_cast<float>(1.0 / (60.0 * std::sqrt(static_cast<double>(terms))));
    return build_.between(0, 4) == 0 ? std::exp2(std::round(std::log2(usual))) : usual * (0.5F + std::fabs(build_.number()));
  }

  void layer() {
    const Dims dims = build_.dims(value_);
    switch (build_.between(0, 7)) {
      case 0:
      case 1: return dims.size() > 2 ? convolution(dims) : product(dims);
      case 2: return add();
      case 3: return dims.size() > 2 ? pool(dims) : product(dims);
      case 4: value_ = build_.node("QTable", "moru", {value_, build_.constant(build_.bytes(type(), {256}))}); return;
      case 5: return dims.size() > 2 && build_.between(0, 2) == 0 ? flatten() : concat();
      case 6: return pair(dims);
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
    for (std::int32_t& value : bias.mutable_data<std::int32_t>()) value = static_cast<std::int32_t>(build_.number_between(-9000, 9000));
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
  /// A second operand, of the same shape or one that stretches to it.
  ValueId other() {
    if (build_.coin()) return value_;
    Dims dims = build_.dims(value_);
    const bool stretches = build_.coin();
    for (std::int64_t& extent : dims) {
      if (stretches && build_.coin()) extent = 1;
    }
    return build_.input(build_.bytes(type(), dims));
  }
  /// Of two values that a run computes.
  void pair(const Dims& x) {
    const std::int64_t outputs = build_.between(1, 40);
    Dims dims = x;
    for (std::size_t i = 0; i + 2 < dims.size(); ++i) {
      if (build_.coin()) dims[i] = 1;
    }
    dims[dims.size() - 2] = x.back();
    dims.back() = outputs;
    const ValueId b = build_.input(build_.bytes(type(), dims));
    const DType y_type = type();
    value_ = build_.node("QMatMul", "moru",
                         {value_, zero(build_.dtype(value_)), b, zero(build_.dtype(b)), build_.scalar(factor(x.back())), zero(y_type)},
                         bounds(y_type));
  }
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

}  // namespace

RandomNetwork random_levels(const Choices& choices) { return Levels(choices).make(); }

}  // namespace moru::runtime::engine
