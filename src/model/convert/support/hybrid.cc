// SPDX-License-Identifier: Apache-2.0
#include "model/convert/support/hybrid.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace moru::model::convert {
namespace {

// ONNX's numbers of element types.
constexpr std::int64_t kOnnxFloat = 1;
constexpr std::int64_t kOnnxDouble = 11;

/// The float or double before 1/2. For v >= 0, floor(v + kBeforeHalf) rounds to nearest, halves up, for each v below 2^22; with
/// 1/2 itself the number before 1/2 would become 1.
template <class T>
constexpr T kBeforeHalf = sizeof(T) == 4 ? static_cast<T>(0x1.fffffep-2) : static_cast<T>(0x1.fffffffffffffp-2);

/// The range of a row is at least this, so that a row of zeros has a step. A smaller range than this is another number in TFLite,
/// but there 127 / range soon is no float, and what its kernels make of that is not defined.
constexpr double kLeast = 0x1p-120;

/// Adds the nodes that make levels of x, with the roundings of TFLite's reference kernels, one by one.
class Quantizer {
 public:
  Quantizer(Rewrite& rewrite, ValueId x) : rewrite_(rewrite), x_(x) {}

  Levels symmetric() {
    const ValueId magnitude = add("Abs", {x_}, x_);
    const ValueId range = add("Max", {reduce("ReduceMax", magnitude), number(static_cast<float>(kLeast))}, row());
    const ValueId step = add("Div", {range, number(127.0F)}, range);
    const ValueId inverse = add("Div", {number(127.0F), range}, range);
    // No product is above 127 by more than its own rounding, so nothing needs to be cut off.
    const ValueId scaled = add("Mul", {magnitude, inverse}, x_);
    return {rounded<float>(scaled, x_), step};
  }

  Levels asymmetric() {
    const ValueId low = wide(add("Min", {reduce("ReduceMin", x_), number(0.0F)}, row()));
    const ValueId high = wide(add("Max", {reduce("ReduceMax", x_), number(0.0F)}, row()));
    const ValueId range = add("Max", {add("Sub", {high, low}, low), number(kLeast)}, low);
    const ValueId wide_step = add("Div", {range, number(255.0)}, low);
    const ValueId step = narrow(wide_step);
    const ValueId steps_low = add("Div", {low, wide_step}, low);
    const ValueId steps_high = add("Div", {high, wide_step}, low);
    const ValueId zero = narrow(zero_point(steps_low, steps_high));
    const ValueId inverse = add("Div", {number(1.0F), step}, step);
    const ValueId level = add("Add", {zero, add("Mul", {x_, inverse}, x_)}, x_);
    const ValueId nearest = rounded<float>(add("Abs", {level}, x_), level);
    const ValueId inside = add("Clip", {nearest, number(-128.0F), number(127.0F)}, x_);
    return {add("Sub", {inside, zero}, x_), step};
  }

 private:
  /// Of the zero points that either end of the range asks for, the one with the smaller error; the ends are given in steps.
  ValueId zero_point(ValueId low, ValueId high) {
    const ValueId from_low = add("Sub", {number(-128.0), low}, low);
    const ValueId from_high = add("Sub", {number(127.0), high}, low);
    ValueType truth = rewrite_.type(low);
    truth.dtype = DType::kBool;
    const ValueId is_low = rewrite_.value(std::move(truth));
    rewrite_.add("Less", {add("Sub", {number(128.0), low}, low), add("Add", {number(127.0), high}, low)}, {is_low});
    const ValueId zero = add("Where", {is_low, from_low, from_high}, low);
    return rounded<double>(add("Abs", {zero}, zero), zero);
  }

  /// To nearest, halves away from 0, which ONNX's Round does not do. `like` has the sign that the magnitude has lost.
  template <class T>
  ValueId rounded(ValueId magnitude, ValueId like) {
    const ValueId whole = add("Floor", {add("Add", {magnitude, number(kBeforeHalf<T>)}, magnitude)}, magnitude);
    return add("Mul", {whole, add("Sign", {like}, like)}, magnitude);
  }

  /// A value of the type of `like`.
  ValueId add(std::string_view op, std::vector<ValueId> inputs, ValueId like) { return add(op, std::move(inputs), rewrite_.type(like)); }
  ValueId add(std::string_view op, std::vector<ValueId> inputs, ValueType type, Attributes attributes = {}) {
    const ValueId to = rewrite_.value(std::move(type));
    rewrite_.add(op, std::move(inputs), {to}, std::move(attributes));
    return to;
  }

  /// The type of one number a row.
  ValueType row() const {
    ValueType type = rewrite_.type(x_);
    for (std::size_t axis = 1; axis < type.shape->size(); ++axis) (*type.shape)[axis] = {1, {}};
    return type;
  }

  ValueId reduce(std::string_view op, ValueId from) {
    std::vector<std::int64_t> axes;
    for (std::size_t axis = 1; axis < rewrite_.type(x_).shape->size(); ++axis) axes.push_back(static_cast<std::int64_t>(axis));
    return add(op, {from, rewrite_.int64s("axes", axes)}, row());
  }

  ValueId cast(ValueId from, DType dtype, std::int64_t to) {
    ValueType type = rewrite_.type(from);
    type.dtype = dtype;
    return add("Cast", {from}, std::move(type), {{"to", to}});
  }
  ValueId wide(ValueId from) { return cast(from, DType::kFloat64, kOnnxDouble); }
  ValueId narrow(ValueId from) { return cast(from, DType::kFloat32, kOnnxFloat); }

  template <class T>
  ValueId number(T value) {
    return rewrite_.constant("number", Tensor::scalar(value));
  }

  Rewrite& rewrite_;
  ValueId x_;
};

bool is_hybrid(const Rewrite& rewrite) {
  return rewrite.type(rewrite.input(0)).dtype == DType::kFloat32 && rewrite.type(rewrite.input(1)).dtype != DType::kFloat32;
}

/// TFLite's convolutions look at the weights, dense layers at an attribute.
Result<bool> is_asymmetric(const Rewrite& rewrite) {
  if (rewrite.node.op == "FULLY_CONNECTED") {
    MORU_ASSIGN_OR_RETURN(const std::int64_t asked, int_attribute(rewrite.node, "asymmetric_quantize_inputs", 0));
    return asked != 0;
  }
  return rewrite.node.op == "DEPTHWISE_CONV_2D" || rewrite.type(rewrite.input(1)).quantization->scales.size() > 1;
}

/// The bias, a vector, as channel_dims().
Result<ValueId> bias_of(Rewrite& rewrite, ValueId id, std::int64_t channels, std::size_t rank) {
  const ValueType& type = rewrite.type(id);
  if (type.dtype != DType::kFloat32 || type.shape != SymbolicShape{Dim{channels, {}}})
    return rewrite.unsupported("a bias of another kind or size beside float inputs", fmt::format("float32[{}]", channels));
  const Dims dims = channel_dims(channels, rank);
  if (dims.size() == 1) return id;
  if (const Tensor* tensor = rewrite.graph.initializer(id)) return rewrite.constant(rewrite.graph.value(id).name, tensor->reshaped(dims));
  SymbolicShape shape;
  for (const std::int64_t extent : dims) shape.push_back({extent, {}});
  return rewrite.reshape(id, std::move(shape));
}

}  // namespace

Dims channel_dims(std::int64_t channels, std::size_t rank) {
  Dims dims(rank - 1, 1);
  dims[0] = channels;
  return dims;
}

void add_hybrid(Rewrite& rewrite, const HybridLayer& layer, ValueId to) {
  Quantizer quantizer(rewrite, layer.x);
  const Levels x = layer.asymmetric ? quantizer.asymmetric() : quantizer.symmetric();
  const ValueType type = rewrite.type(to);
  // Floats hold these integers, and their sums up to 2^24: K * 127 * 127 for K products is below that up to K = 1040. A larger
  // sum is rounded, as any sum of floats is; ONNX's integer products would need one zero point for all rows.
  const ValueId sum = rewrite.value(type);
  rewrite.add(layer.op, {x.values, layer.weights}, {sum}, layer.attributes);
  // The scales come first: a constant factor that is second is folded into weights by ONNX Runtime, which are no integers then.
  const ValueId scaled = rewrite.value(type);
  rewrite.add("Mul", {layer.scales, sum}, {scaled});
  const ValueId real = layer.bias == kNoValue ? to : rewrite.value(type);
  rewrite.add("Mul", {scaled, x.step}, {real});
  if (real != to) rewrite.add("Add", {real, layer.bias}, {to});
}

Result<ValueId> product_weights(Rewrite& rewrite) {
  if (!is_hybrid(rewrite)) return rewrite.input(1);
  const ValueType& type = rewrite.type(rewrite.input(1));
  const Tensor* stored = rewrite.constant(1);
  if (type.dtype != DType::kInt8 || !type.quantization || stored == nullptr)
    return rewrite.unsupported("weights beside float inputs that are neither float32 nor int8 constants with scales", "one of these");
  return rewrite.constant(rewrite.graph.value(rewrite.input(1)).name, *stored);
}

Status add_product(Rewrite& rewrite, std::string_view op, const std::vector<ValueId>& inputs, ValueId to, Attributes attributes) {
  if (!is_hybrid(rewrite)) {
    rewrite.add(op, inputs, {to}, std::move(attributes));
    return {};
  }
  const Quantization quantization = *rewrite.type(rewrite.input(1)).quantization;  // not by reference: values are added below
  const std::int64_t channels = rewrite.type(inputs[1]).shape->front().value;
  const std::int64_t axis = rewrite.node.op == "DEPTHWISE_CONV_2D" ? 3 : 0;
  const std::vector<float>& scales = quantization.scales;
  if (scales.size() != 1 && (std::ssize(scales) != channels || quantization.axis != axis))
    return rewrite.unsupported(fmt::format("{} scales on axis {} of the weights", scales.size(), quantization.axis),
                               fmt::format("one, or {} on axis {}", channels, axis));
  MORU_ASSIGN_OR_RETURN(const bool asymmetric, is_asymmetric(rewrite));
  const std::size_t rank = rewrite.type(to).shape->size();
  HybridLayer layer{.op = op, .asymmetric = asymmetric, .x = inputs[0], .attributes = std::move(attributes)};
  ValueType held = rewrite.type(inputs[1]);
  held.dtype = DType::kFloat32;
  layer.weights = rewrite.value(std::move(held));
  rewrite.add("Cast", {inputs[1]}, {layer.weights}, {{"to", kOnnxFloat}});
  const Dims dims = scales.size() == 1 ? Dims{} : channel_dims(channels, rank);
  layer.scales = rewrite.constant("scales", Tensor::of<float>(dims, scales));
  if (inputs.size() > 2) {
    MORU_ASSIGN_OR_RETURN(layer.bias, bias_of(rewrite, inputs[2], channels, rank));
  }
  add_hybrid(rewrite, layer, to);
  for (Node& node : rewrite.made) node.name = node.op == op ? rewrite.node.name : std::string();
  return {};
}

}  // namespace moru::model::convert
