// SPDX-License-Identifier: Apache-2.0
// The versions of builtin ops: a reader that knows only older versions refuses what it would misunderstand. The rules are
// TFLite's; the first row that fits counts, and no row means version 1.
#include <algorithm>

#include "model/formats/tflite/convert.h"

namespace moru::model::tflite {
namespace {

/// A node with its values' types.
struct Use {
  const Graph& graph;
  const Node& node;

  const ValueType* type(const std::vector<ValueId>& ids, std::size_t i) const {
    return i < ids.size() && ids[i] != kNoValue ? &graph.value(ids[i]).type : nullptr;
  }
  bool input(std::size_t i, DType dtype) const {
    const ValueType* found = type(node.inputs, i);
    return found != nullptr && found->dtype == dtype;
  }
  bool output(std::size_t i, DType dtype) const {
    const ValueType* found = type(node.outputs, i);
    return found != nullptr && found->dtype == dtype;
  }
  std::size_t rank(std::size_t i) const {
    const ValueType* found = type(node.inputs, i);
    return found != nullptr && found->shape ? found->shape->size() : 0;
  }
  bool quantized(std::size_t i) const {
    const ValueType* found = type(node.inputs, i);
    return found != nullptr && found->quantization.has_value();
  }
  bool per_channel(std::size_t i) const { return quantized(i) && type(node.inputs, i)->quantization->scales.size() > 1; }
  std::int64_t option(std::string_view name) const { return int_attribute(node, name, 0).value_or(0); }
  std::string text(std::string_view name) const { return string_attribute(node, name, "").value_or(""); }
};

template <std::size_t kInput, DType... kTypes>
bool in(const Use& use) {
  return (use.input(kInput, kTypes) || ...);
}
template <DType... kTypes>
bool in0(const Use& use) {
  return in<0, kTypes...>(use);
}
template <DType kType>
bool out0(const Use& use) {
  return use.output(0, kType);
}
template <std::size_t kLeast>
bool rank_above(const Use& use) {
  return use.rank(0) > kLeast;
}
template <DType kInput, DType kWeight>
bool weights(const Use& use) {
  return use.input(0, kInput) && use.input(1, kWeight);
}
bool broadcast_of_five(const Use& use) {
  const ValueType* a = use.type(use.node.inputs, 0);
  const ValueType* b = use.type(use.node.inputs, 1);
  return a != nullptr && b != nullptr && a->shape != b->shape && std::max(use.rank(0), use.rank(1)) > 4;
}
bool hybrid(const Use& use) { return use.input(0, DType::kFloat32) && use.input(1, DType::kInt8); }
bool hybrid_per_channel(const Use& use) { return hybrid(use) && use.per_channel(1); }
bool hybrid_asymmetric(const Use& use) { return hybrid(use) && use.option("asymmetric_quantize_inputs") != 0; }
bool named_bias(const Use& use) {
  const std::string type = use.text("quantized_bias_type");
  return use.input(0, DType::kInt16) && use.input(1, DType::kInt8) && !type.empty() && type != "FLOAT32";
}
bool grouped(const Use& use) {
  const ValueType* x = use.type(use.node.inputs, 0);
  const ValueType* w = use.type(use.node.inputs, 1);
  return use.rank(0) == 4 && use.rank(1) == 4 && x->shape->back().known() && x->shape->back() != w->shape->back();
}
bool general_int16(const Use& use) { return use.input(0, DType::kInt16) && use.option("pot_scale_int16") == 0; }
bool scale_of_one(const Use& use) {
  const ValueType* out = use.type(use.node.outputs, 0);
  if (!use.quantized(0) || !use.quantized(1) || out == nullptr || !out->quantization) return false;
  const auto scale = [](const ValueType* type) { return type->quantization->scales.empty() ? 0.0F : type->quantization->scales[0]; };
  const float ratio = scale(use.type(use.node.inputs, 0)) * scale(use.type(use.node.inputs, 1));
  return scale(out) != 0 && ratio / scale(out) >= 1;
}

struct Rule {
  std::string_view op;
  std::int32_t version;
  bool (*fits)(const Use& use);
};

constexpr auto kI8 = DType::kInt8;
constexpr auto kU8 = DType::kUInt8;
constexpr auto kI16 = DType::kInt16;
constexpr auto kI4 = DType::kInt4;

constexpr Rule kRules[] = {
    {"ABS", 5, in0<DType::kInt32>},
    {"ABS", 3, [](const Use& use) { return use.input(0, kI16) && use.quantized(0); }},
    {"ABS", 4, in0<kI16>},
    {"ABS", 2, in0<kI8, kU8>},
    {"ADD", 5, [](const Use& use) { return use.input(0, kI16) && !use.quantized(0); }},
    {"ADD", 4, in0<DType::kInt64>},
    {"ADD", 3, general_int16},
    {"ADD", 2, in0<kI8>},
    {"ARG_MAX", 3, in0<DType::kBool>},
    {"ARG_MAX", 2, in0<kI8>},
    {"ARG_MIN", 3, in0<DType::kBool>},
    {"ARG_MIN", 2, in0<kI8>},
    {"AVERAGE_POOL_2D", 3, in0<kI16>},
    {"AVERAGE_POOL_2D", 2, in0<kI8>},
    {"BATCH_MATMUL", 4, hybrid_asymmetric},
    {"BATCH_MATMUL", 3, in0<kI16>},
    {"BATCH_MATMUL", 2, in0<kI8>},
    {"BATCH_TO_SPACE_ND", 4, in0<kI16>},
    {"BATCH_TO_SPACE_ND", 3, [](const Use& use) { return use.rank(0) != 4; }},
    {"BATCH_TO_SPACE_ND", 2, in0<kI8>},
    {"BROADCAST_TO", 3, in0<kI8, kI16>},
    {"BROADCAST_TO", 2, [](const Use&) { return true; }},
    {"CAST", 7, [](const Use& use) { return use.input(0, DType::kBFloat16) || use.output(0, DType::kBFloat16); }},
    {"CAST", 6, in0<kI4>},
    {"CAST", 5,
     [](const Use& use) { return in0<DType::kFloat64, DType::kFloat16>(use) || out0<DType::kFloat64>(use) || out0<DType::kFloat16>(use); }},
    {"CAST", 4, [](const Use& use) { return in0<DType::kUInt16>(use) || out0<DType::kUInt16>(use); }},
    {"CAST", 3, [](const Use& use) { return in0<kI8>(use) || out0<kI8>(use); }},
    {"CAST", 2, [](const Use& use) { return in0<DType::kUInt32>(use) || out0<DType::kUInt32>(use); }},
    {"CONCATENATION", 4, in0<DType::kUInt32>},
    {"CONCATENATION", 3, in0<kI16>},
    {"CONCATENATION", 2, in0<kI8>},
    {"CONV_2D", 8, named_bias},
    {"CONV_2D", 6, grouped},
    {"CONV_2D", 4, in0<kI16>},
    {"CONV_2D", 3, weights<kI8, kI8>},
    {"CONV_2D", 7, weights<kI8, kI4>},
    {"CONV_2D", 5, hybrid_per_channel},
    {"CONV_2D", 2, hybrid},
    {"DEPTHWISE_CONV_2D", 5, in0<kI16>},
    {"DEPTHWISE_CONV_2D", 6, hybrid_per_channel},
    {"DEPTHWISE_CONV_2D", 4, hybrid},
    {"DEPTHWISE_CONV_2D", 3, weights<kI8, kI8>},
    {"DEPTHWISE_CONV_2D", 7, weights<kI8, kI4>},
    {"DEPTHWISE_CONV_2D", 2, [](const Use& use) { return use.option("dilation_w_factor") > 1 || use.option("dilation_h_factor") > 1; }},
    {"DEPTH_TO_SPACE", 2, in0<kI8>},
    {"DEQUANTIZE", 6, in0<kI4>},
    {"DEQUANTIZE", 3, in0<kI16, DType::kFloat16>},
    {"DEQUANTIZE", 5, [](const Use& use) { return use.input(0, kI8) && use.per_channel(0); }},
    {"DEQUANTIZE", 2, in0<kI8>},
    {"DIV", 2, broadcast_of_five},
    {"EQUAL", 4, in0<kI16>},
    {"EQUAL", 2, in0<kI8>},
    {"EXP", 2, in0<kI8, kI16>},
    {"FAKE_QUANT", 2, [](const Use& use) { return use.option("narrow_range") != 0; }},
    {"FILL", 4, in<1, DType::kFloat16>},
    {"FILL", 3, in<1, kI8, kI16>},
    {"FILL", 2, in<1, DType::kBool>},
    {"FLOOR_DIV", 3, in0<kI16, kI8>},
    {"FLOOR_DIV", 2, in0<DType::kFloat32>},
    {"FLOOR_MOD", 2, in0<kI16, kI8>},
    {"FULLY_CONNECTED", 12, hybrid_per_channel},
    {"FULLY_CONNECTED", 11, named_bias},
    {"FULLY_CONNECTED", 7, in0<kI16>},
    {"FULLY_CONNECTED", 6, [](const Use& use) { return use.node.inputs.size() == 2; }},
    {"FULLY_CONNECTED", 5, [](const Use& use) { return use.option("keep_num_dims") != 0; }},
    {"FULLY_CONNECTED", 4, weights<kI8, kI8>},
    {"FULLY_CONNECTED", 10, weights<kI8, kI4>},
    {"FULLY_CONNECTED", 9, hybrid_asymmetric},
    {"FULLY_CONNECTED", 3, hybrid},
    {"FULLY_CONNECTED", 2, [](const Use& use) { return use.text("weights_format") == "SHUFFLED4x16INT8"; }},
    {"GATHER", 7, in0<kI4>},
    {"GATHER", 6, in<1, kI16>},
    {"GATHER", 5, [](const Use& use) { return use.option("batch_dims") != 0; }},
    {"GATHER", 4, in0<kI16>},
    {"GATHER", 3, in0<DType::kBool>},
    {"GATHER", 2, in0<kI8>},
    {"GATHER_ND", 5, in0<DType::kBool>},
    {"GATHER_ND", 4, in<1, kI16>},
    {"GATHER_ND", 3, in0<kI16>},
    {"GELU", 2, in0<kI8, kU8>},
    {"GREATER", 2, in0<kI8>},
    {"GREATER_EQUAL", 3, in0<kI16>},
    {"GREATER_EQUAL", 2, in0<kI8>},
    {"L2_NORMALIZATION", 2, in0<kI8>},
    {"LEAKY_RELU", 2, in0<kI16>},
    {"LESS", 3, in0<kI16>},
    {"LESS", 2, in0<kI8>},
    {"LESS_EQUAL", 2, in0<kI8>},
    {"LOG", 2, in0<kI8, kI16>},
    {"LOGISTIC", 3, in0<kI16>},
    {"LOGISTIC", 2, in0<kI8>},
    {"LOG_SOFTMAX", 2, in0<kI8>},
    {"LSTM", 5, [](const Use& use) { return use.input(0, kI16) && use.input(2, kI8); }},
    {"LSTM", 4,
     [](const Use& use) { return use.input(0, DType::kFloat32) && use.input(2, kI8) && use.option("asymmetric_quantize_inputs") != 0; }},
    {"LSTM", 3, [](const Use& use) { return use.input(0, DType::kFloat32) && use.input(2, kI8); }},
    {"LSTM", 2, [](const Use& use) { return use.text("kernel_type") == "BASIC"; }},
    {"MAXIMUM", 4, in0<kI16>},
    {"MAXIMUM", 3, broadcast_of_five},
    {"MAXIMUM", 2, in0<kI8>},
    {"MAX_POOL_2D", 3, in0<kI16>},
    {"MAX_POOL_2D", 2, in0<kI8>},
    {"MEAN", 3, in0<kI16>},
    {"MEAN", 2, in0<kI8>},
    {"MINIMUM", 4, in0<kI16>},
    {"MINIMUM", 3, broadcast_of_five},
    {"MINIMUM", 2, in0<kI8>},
    {"MIRROR_PAD", 3, in0<kI16>},
    {"MIRROR_PAD", 2, in0<kI8>},
    {"MUL", 7, [](const Use& use) { return (use.input(0, kI16) && !use.quantized(0)) || use.input(0, DType::kUInt32); }},
    {"MUL", 6, in0<DType::kComplex64>},
    {"MUL", 5, in0<DType::kInt64>},
    {"MUL", 4, in0<kI16>},
    {"MUL", 3, scale_of_one},
    {"MUL", 2, in0<kI8>},
    {"NOT_EQUAL", 2, in0<kI8>},
    {"PACK", 2, in0<kI8>},
    {"PACK", 3, in0<kI16>},
    {"PACK", 4, in0<DType::kUInt32>},
    {"PAD", 4, rank_above<4>},
    {"PAD", 3, in0<kI16>},
    {"PAD", 2, in0<kI8>},
    {"PADV2", 4, rank_above<4>},
    {"PADV2", 3, in0<kI16>},
    {"PADV2", 2, in0<kI8>},
    {"QUANTIZE", 4, [](const Use& use) { return use.input(0, kI4) || use.output(0, kI4); }},
    {"QUANTIZE", 2, out0<kI16>},
    {"RANGE", 2, in0<DType::kInt64>},
    {"REDUCE_MAX", 3, in0<kI16>},
    {"REDUCE_MAX", 2, in0<kI8>},
    {"REDUCE_MIN", 3, in0<kI16>},
    {"REDUCE_MIN", 2, in0<kI8>},
    {"REDUCE_PROD", 2, in0<kI8, kI16>},
    {"RELU", 3, in0<kI16>},
    {"RELU", 2, in0<kI8, kU8>},
    {"RELU6", 3, in0<kI16>},
    {"RELU6", 2, in0<kI8>},
    {"RESIZE_BILINEAR", 4, in0<kI16>},
    {"RESIZE_BILINEAR", 3, [](const Use& use) { return use.option("half_pixel_centers") != 0; }},
    {"RESIZE_BILINEAR", 2, in0<kI8>},
    {"RESIZE_NEAREST_NEIGHBOR", 4, in0<kI16>},
    {"RESIZE_NEAREST_NEIGHBOR", 3,
     [](const Use& use) { return use.option("half_pixel_centers") != 0 || use.option("align_corners") != 0; }},
    {"RESIZE_NEAREST_NEIGHBOR", 2, in0<kI8>},
    {"REVERSE_V2", 3, in0<kI8>},
    {"REVERSE_V2", 2, in0<DType::kBool>},
    {"RSQRT", 3, in0<kI16>},
    {"RSQRT", 2, in0<kI8>},
    {"SELECT", 4, in0<DType::kUInt32>},
    {"SELECT", 3, [](const Use& use) { return use.rank(0) == 5 || use.rank(1) == 5 || use.rank(2) == 5; }},
    {"SELECT", 2, in0<kI8>},
    {"SELECT_V2", 2, in0<DType::kUInt32>},
    {"SIGN", 2, in0<DType::kInt32>},
    {"SLICE", 6, in0<DType::kUInt32>},
    {"SLICE", 5, rank_above<4>},
    {"SLICE", 4, in0<kI16>},
    {"SLICE", 2, in0<kI8>},
    {"SOFTMAX", 3, in0<kI16>},
    {"SOFTMAX", 2, in0<kI8>},
    {"SPACE_TO_BATCH_ND", 4, in0<kI16>},
    {"SPACE_TO_BATCH_ND", 3, [](const Use& use) { return use.rank(0) != 4; }},
    {"SPACE_TO_BATCH_ND", 2, in0<kI8>},
    {"SPACE_TO_DEPTH", 2, in0<kI8>},
    {"SPARSE_TO_DENSE", 3, in<2, kI8, kU8>},
    {"SPARSE_TO_DENSE", 2, in<2, DType::kInt64>},
    {"SPLIT", 4, in<1, kI16>},
    {"SPLIT", 3, in<1, DType::kInt32>},
    {"SPLIT", 2, in<1, kI8>},
    {"SPLIT_V", 2, in0<kI8>},
    {"SQUARED_DIFFERENCE", 2, in0<kI8>},
    {"STRIDED_SLICE", 8, [](const Use& use) { return use.option("offset") != 0; }},
    {"STRIDED_SLICE", 7, in0<DType::kUInt32>},
    {"STRIDED_SLICE", 6, [](const Use& use) { return use.option("ellipsis_mask") != 0 || use.option("new_axis_mask") != 0; }},
    {"STRIDED_SLICE", 4, rank_above<4>},
    {"STRIDED_SLICE", 3, in0<DType::kBool>},
    {"STRIDED_SLICE", 2, in0<kI8>},
    {"SUB", 5, general_int16},
    {"SUB", 4, in0<DType::kInt64>},
    {"SUB", 3, broadcast_of_five},
    {"SUB", 2, in0<kI8>},
    {"SUM", 2, in0<kI8>},
    {"SVDF", 3, in0<kI8>},
    {"SVDF", 4, hybrid_asymmetric},
    {"SVDF", 2, hybrid},
    {"TANH", 3, in0<kI16>},
    {"TANH", 2, in0<kI8>},
    {"TILE", 3, in0<kI8>},
    {"TOPK_V2", 3, [](const Use& use) { return use.input(0, kI16) || use.input(1, kI16) || use.output(1, kI16); }},
    {"TOPK_V2", 2, in0<kI8>},
    {"TRANSPOSE", 6, rank_above<5>},
    {"TRANSPOSE", 5, in0<kI16>},
    {"TRANSPOSE", 4, rank_above<4>},
    {"TRANSPOSE", 3, in0<DType::kBool>},
    {"TRANSPOSE", 2, in0<kI8>},
    {"TRANSPOSE_CONV", 5,
     [](const Use& use) { return use.input(2, kI16) && use.input(1, kI8) && use.text("quantized_bias_type") != "FLOAT32"; }},
    {"TRANSPOSE_CONV", 4, [](const Use& use) { return use.text("fused_activation_function") != "NONE"; }},
    {"TRANSPOSE_CONV", 3, [](const Use& use) { return use.node.inputs.size() == 4 && use.node.inputs[3] != kNoValue; }},
    {"TRANSPOSE_CONV", 2, in<1, kI8>},
    {"UNIDIRECTIONAL_SEQUENCE_LSTM", 5, [](const Use& use) { return use.input(0, kI16) && use.input(2, kI8); }},
    {"UNIDIRECTIONAL_SEQUENCE_LSTM", 4, [](const Use& use) { return use.option("diagonal_recurrent_tensors") != 0; }},
    {"UNIDIRECTIONAL_SEQUENCE_LSTM", 3,
     [](const Use& use) { return use.input(0, DType::kFloat32) && use.input(2, kI8) && use.option("asymmetric_quantize_inputs") != 0; }},
    {"UNIDIRECTIONAL_SEQUENCE_LSTM", 2, [](const Use& use) { return use.input(0, DType::kFloat32) && use.input(2, kI8); }},
    {"UNPACK", 2, in0<kI8, kU8>},
    {"UNPACK", 3, in0<DType::kBool>},
    {"UNPACK", 4, in0<kI16>},
    {"WHERE", 2, [](const Use& use) { return !use.input(0, DType::kBool); }},
};

}  // namespace

std::int32_t version_of(const Graph& graph, const Node& node) {
  const Use use{graph, node};
  for (const Rule& rule : kRules) {
    if (rule.op == node.op && rule.fits(use)) return rule.version;
  }
  return 1;
}

}  // namespace moru::model::tflite
