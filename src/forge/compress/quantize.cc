// SPDX-License-Identifier: Apache-2.0
#include "forge/compress/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "model/ops/verify.h"

namespace moru::forge {
namespace {

using model::Graph;
using model::kNoValue;
using model::Node;
using model::Tensor;
using model::ValueId;

bool has_weights(const Node& node) { return node.domain.empty() && (node.op == "Conv" || node.op == "Gemm"); }
/// Ops that only move values: their output has their input's scale.
bool moves_values(const Node& node) { return node.domain.empty() && (node.op == "MaxPool" || node.op == "Flatten"); }

/// Whether an integer kernel exists for the node, so that its data inputs are worth rounding.
bool is_quantizable(const Graph& graph, const Node& node) {
  if (has_weights(node) || moves_values(node)) return true;
  if (!node.domain.empty()) return false;
  if (node.op == "GlobalAveragePool") return true;
  return node.op == "Add" && std::ranges::none_of(node.inputs, [&](ValueId id) { return graph.initializer(id) != nullptr; });
}

std::size_t data_inputs(const Node& node) { return node.op == "Add" ? 2 : 1; }

/// The value whose scale `id` has: looks through ops that only move values.
ValueId scale_root(const Graph& graph, const std::vector<std::int32_t>& producers, ValueId id) {
  for (;;) {
    const std::int32_t producer = producers[static_cast<std::size_t>(id)];
    if (producer < 0 || !moves_values(graph.nodes()[static_cast<std::size_t>(producer)])) return id;
    id = graph.nodes()[static_cast<std::size_t>(producer)].inputs[0];
  }
}

class Quantizer {
 public:
  Quantizer(const Graph& in, const Ranges& ranges, const QuantizeOptions& options)
      : in_(in),
        ranges_(ranges),
        largest_weight_((1 << (options.weight_bits - 1)) - 1),
        producers_(in.producers()),
        consumers_(in.consumers()),
        plain_(in.value_count(), kNoValue),
        rounded_(in.value_count(), kNoValue) {}

  Result<Graph> run() {
    out_.name = in_.name;
    out_.opset = in_.opset;
    out_.metadata = in_.metadata;
    for (const ValueId id : in_.inputs) out_.inputs.push_back(plain(id));
    for (std::size_t i = 0; i < in_.nodes().size(); ++i) {
      MORU_RETURN_IF_ERROR_IN(fmt::format("quantize '{}': {}", in_.name, model::describe(in_, i)), add(in_.nodes()[i]));
    }
    for (const ValueId id : in_.outputs) out_.outputs.push_back(plain(id));
    MORU_RETURN_IF_ERROR_IN("quantize", model::verify(out_));
    MORU_RETURN_IF_ERROR_IN("quantize", model::infer_shapes(out_));
    return std::move(out_);
  }

 private:
  /// Scale and zero point of an activation, as values of the new graph.
  struct Scale {
    AffineScale affine;
    ValueId scale = kNoValue;
    ValueId zero_point = kNoValue;
  };

  std::string fresh(char stem) {
    for (;;) {
      std::string name = fmt::format("{}{}", stem, counter_++);
      if (!in_.find_value(name) && !out_.find_value(name)) return name;
    }
  }

  ValueId plain(ValueId id) {
    if (id == kNoValue) return kNoValue;
    ValueId& mapped = plain_[static_cast<std::size_t>(id)];
    if (mapped == kNoValue) {
      const model::Value& value = in_.value(id);
      const Tensor* tensor = in_.initializer(id);
      mapped = tensor != nullptr ? out_.add_initializer(value.name, *tensor) : out_.add_value(value.name, value.type);
    }
    return mapped;
  }

  ValueId append(std::string_view op, std::vector<ValueId> inputs, char stem, model::Attributes attributes = {}) {
    const ValueId output = out_.add_value(fresh(stem));
    out_.nodes().push_back({.name = {},
                            .op = std::string(op),
                            .domain = {},
                            .inputs = std::move(inputs),
                            .outputs = {output},
                            .attributes = std::move(attributes)});
    return output;
  }

  Result<Scale> scale_of(ValueId id) {
    const ValueId root = scale_root(in_, producers_, id);
    if (const auto known = scales_.find(root); known != scales_.end()) return known->second;
    const auto range = ranges_.find(in_.value(root).name);
    if (range == ranges_.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("found no range for value '{}', expected one from calibration", in_.value(root).name));
    }
    Scale scale{.affine = affine_scale(range->second)};
    scale.scale = out_.add_initializer(fresh('s'), Tensor::scalar<float>(scale.affine.scale));
    const auto [zero, added] = zero_points_.try_emplace(scale.affine.zero_point, kNoValue);
    if (added) zero->second = out_.add_initializer(fresh('z'), Tensor::scalar<std::uint8_t>(scale.affine.zero_point));
    scale.zero_point = zero->second;
    scales_.emplace(root, scale);
    return scale;
  }

  /// The value after a trip through uint8.
  Result<ValueId> rounded(ValueId id) {
    ValueId& known = rounded_[static_cast<std::size_t>(id)];
    if (known != kNoValue) return known;
    MORU_ASSIGN_OR_RETURN(const Scale scale, scale_of(id));
    const ValueId quantized = append("QuantizeLinear", {plain(id), scale.scale, scale.zero_point}, 'q');
    known = append("DequantizeLinear", {quantized, scale.scale, scale.zero_point}, 'd');
    return known;
  }

  /// A Relu whose only job is done by rounding its output to uint8 with zero point 0, which clips at zero.
  Result<bool> is_absorbed(const Node& node) {
    if (node.op != "Relu" || !node.domain.empty()) return false;
    const ValueId in = node.inputs[0];
    const ValueId out = node.outputs[0];
    const auto& users = consumers_[static_cast<std::size_t>(out)];
    if (in_.initializer(in) != nullptr || std::ranges::find(in_.outputs, out) != in_.outputs.end() || users.empty()) return false;
    if (!std::ranges::all_of(users, [&](std::int32_t user) { return is_quantizable(in_, in_.nodes()[static_cast<std::size_t>(user)]); }))
      return false;
    MORU_ASSIGN_OR_RETURN(const Scale scale, scale_of(out));
    return scale.affine.zero_point == 0;
  }

  Status add(const Node& node) {
    MORU_ASSIGN_OR_RETURN(const bool absorbed, is_absorbed(node));
    if (absorbed) {
      plain_[static_cast<std::size_t>(node.outputs[0])] = plain(node.inputs[0]);
      return {};
    }
    Node copy = node;
    const bool quantizable = is_quantizable(in_, node);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (quantizable && i < data_inputs(node)) {
        MORU_ASSIGN_OR_RETURN(copy.inputs[i], rounded(node.inputs[i]));
      } else if (!has_weights(node)) {
        copy.inputs[i] = plain(node.inputs[i]);
      }
    }
    if (has_weights(node)) MORU_RETURN_IF_ERROR(add_weights(node, &copy));
    for (ValueId& id : copy.outputs) id = plain(id);
    out_.nodes().push_back(std::move(copy));
    return {};
  }

  /// Which axis of the weights counts output channels.
  Result<std::size_t> channel_axis(const Node& node) const {
    if (node.op == "Conv") return std::size_t{0};
    MORU_ASSIGN_OR_RETURN(const std::int64_t trans_a, model::int_attribute(node, "transA", 0));
    MORU_ASSIGN_OR_RETURN(const std::int64_t trans_b, model::int_attribute(node, "transB", 0));
    MORU_ASSIGN_OR_RETURN(const float alpha, model::float_attribute(node, "alpha", 1.0F));
    MORU_ASSIGN_OR_RETURN(const float beta, model::float_attribute(node, "beta", 1.0F));
    if (trans_a != 0 || alpha != 1.0F || beta != 1.0F) {
      return fail(ErrorCode::kUnsupported, fmt::format("found transA {}, alpha {}, beta {}, expected 0, 1, 1", trans_a, alpha, beta));
    }
    return trans_b != 0 ? std::size_t{0} : std::size_t{1};
  }

  Status add_weights(const Node& node, Node* copy) {
    const Tensor* weights = in_.initializer(node.inputs[1]);
    const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
    const Tensor* bias = has_bias ? in_.initializer(node.inputs[2]) : nullptr;
    if (weights == nullptr || weights->dtype() != model::DType::kFloat32 || weights->rank() < 2 || (has_bias && bias == nullptr)) {
      return fail(ErrorCode::kUnsupported, "weights or bias are not constant float32 tensors, expected such");
    }
    MORU_ASSIGN_OR_RETURN(const std::size_t axis, channel_axis(node));
    const auto channels = static_cast<std::size_t>(weights->dims()[axis]);
    if (bias != nullptr && (bias->dtype() != model::DType::kFloat32 || bias->dims() != model::Dims{weights->dims()[axis]})) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("bias is {} {}, expected float32 [{}]", to_string(bias->dtype()), model::to_string(bias->dims()), channels));
    }
    MORU_ASSIGN_OR_RETURN(const Scale input, scale_of(node.inputs[0]));
    const std::vector<float> scales = weight_scales(*weights, axis, bias, input.affine.scale);
    MORU_ASSIGN_OR_RETURN(copy->inputs[1], rounded_weights(*weights, axis, scales));
    if (bias != nullptr) {
      MORU_ASSIGN_OR_RETURN(copy->inputs[2], rounded_bias(*bias, scales, input.affine.scale));
    }
    return {};
  }

  /// Elements of one channel stand `inner` apart in blocks: index = (block * channels + channel) * inner + k.
  static std::size_t inner_size(const Tensor& tensor, std::size_t axis) {
    std::size_t inner = 1;
    for (std::size_t i = axis + 1; i < tensor.rank(); ++i) inner *= static_cast<std::size_t>(tensor.dims()[i]);
    return inner;
  }

  std::vector<float> weight_scales(const Tensor& weights, std::size_t axis, const Tensor* bias, float input_scale) const {
    const auto values = weights.data<float>();
    const auto channels = static_cast<std::size_t>(weights.dims()[axis]);
    const std::size_t inner = inner_size(weights, axis);
    std::vector<float> scales(channels, 0.0F);
    for (std::size_t i = 0; i < values.size(); ++i) {
      float& scale = scales[i / inner % channels];
      scale = std::max(scale, std::abs(values[i]) / static_cast<float>(largest_weight_));
    }
    for (std::size_t c = 0; c < channels; ++c) {
      // The bias is counted in steps of input scale * weight scale and must stay well inside int32, also for a
      // channel whose weights are (almost) zero.
      const float for_bias = bias != nullptr ? std::abs(bias->data<float>()[c]) / (input_scale * 0x1p30F) : 0.0F;
      scales[c] = std::max({scales[c], for_bias, 1e-12F});
    }
    return scales;
  }

  ValueId dequantized_channels(ValueId quantized, std::size_t channels, const std::vector<float>& scales, ValueId zero_point,
                               std::size_t axis) {
    const ValueId scale = out_.add_initializer(fresh('s'), Tensor::of<float>({static_cast<std::int64_t>(channels)}, scales));
    std::vector<ValueId> inputs{quantized, scale};
    if (zero_point != kNoValue) inputs.push_back(zero_point);
    return append("DequantizeLinear", std::move(inputs), 'd', {{"axis", static_cast<std::int64_t>(axis)}});
  }

  Result<ValueId> rounded_weights(const Tensor& weights, std::size_t axis, const std::vector<float>& scales) {
    MORU_ASSIGN_OR_RETURN(Tensor stored, Tensor::create(model::DType::kInt8, weights.dims()));
    const auto from = weights.data<float>();
    const auto to = stored.mutable_data<std::int8_t>();
    const std::size_t inner = inner_size(weights, axis);
    const auto limit = static_cast<float>(largest_weight_);
    for (std::size_t i = 0; i < from.size(); ++i) {
      to[i] = static_cast<std::int8_t>(std::clamp(std::nearbyint(from[i] / scales[i / inner % scales.size()]), -limit, limit));
    }
    // Runtimes want the zero points spelt out; nodes with as many channels share them.
    const auto [zeros, added] = weight_zeros_.try_emplace(scales.size(), kNoValue);
    if (added) {
      MORU_ASSIGN_OR_RETURN(Tensor tensor, Tensor::create(model::DType::kInt8, {static_cast<std::int64_t>(scales.size())}));
      zeros->second = out_.add_initializer(fresh('z'), std::move(tensor));
    }
    const ValueId value = out_.add_initializer(fresh('w'), std::move(stored));
    return dequantized_channels(value, scales.size(), scales, zeros->second, axis);
  }

  Result<ValueId> rounded_bias(const Tensor& bias, const std::vector<float>& weight_scale, float input_scale) {
    MORU_ASSIGN_OR_RETURN(Tensor stored, Tensor::create(model::DType::kInt32, bias.dims()));
    std::vector<float> scales;
    for (std::size_t c = 0; c < weight_scale.size(); ++c) {
      scales.push_back(input_scale * weight_scale[c]);
      const double steps = static_cast<double>(bias.data<float>()[c]) / static_cast<double>(scales.back());
      stored.mutable_data<std::int32_t>()[c] = static_cast<std::int32_t>(std::clamp(std::nearbyint(steps), -0x1p31, 0x1p31 - 1));
    }
    const ValueId value = out_.add_initializer(fresh('b'), std::move(stored));
    return dequantized_channels(value, scales.size(), scales, kNoValue, 0);
  }

  const Graph& in_;
  const Ranges& ranges_;
  int largest_weight_;
  std::vector<std::int32_t> producers_;
  std::vector<std::vector<std::int32_t>> consumers_;
  Graph out_;
  std::vector<ValueId> plain_;    // of each value of in_: the float value in out_
  std::vector<ValueId> rounded_;  // and its rounded one
  std::map<ValueId, Scale> scales_;
  std::map<std::uint8_t, ValueId> zero_points_;
  std::map<std::size_t, ValueId> weight_zeros_;  // by the number of channels
  std::size_t counter_ = 0;
};

}  // namespace

AffineScale affine_scale(const ValueRange& range) {
  const float low = std::min(range.low, 0.0F);
  const float high = std::max(range.high, 0.0F);
  // A range of width 0 holds only zero; any scale will do.
  if (!(high > low)) return {};
  const float scale = std::max((high - low) / 255.0F, 1e-30F);
  return {scale, static_cast<std::uint8_t>(std::clamp(std::nearbyint(-low / scale), 0.0F, 255.0F))};
}

std::vector<std::string> values_to_quantize(const Graph& graph) {
  const std::vector<std::int32_t> producers = graph.producers();
  std::set<std::string> names;
  for (const Node& node : graph.nodes()) {
    if (!is_quantizable(graph, node)) continue;
    for (std::size_t i = 0; i < std::min(data_inputs(node), node.inputs.size()); ++i) {
      names.insert(graph.value(scale_root(graph, producers, node.inputs[i])).name);
    }
  }
  return {names.begin(), names.end()};
}

Result<Graph> quantize(const Graph& graph, const Ranges& ranges, const QuantizeOptions& options) {
  if (options.weight_bits < 2 || options.weight_bits > 8) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("quantize: found {} weight bits, expected 2 to 8", options.weight_bits));
  }
  MORU_RETURN_IF_ERROR_IN("quantize", model::verify(graph));
  return Quantizer(graph, ranges, options).run();
}

}  // namespace moru::forge
