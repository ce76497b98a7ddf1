// SPDX-License-Identifier: Apache-2.0
#include "model/passes/layout/rules.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "model/passes/layout/op_rules.h"

namespace moru::model::layout {
namespace {

using Rule = bool (*)(PermuteContext&);

struct Row {
  std::string_view op;
  Rule rule;
};

constexpr Row kOnnx[] = {
    {"Abs", elementwise},
    {"Acos", elementwise},
    {"Acosh", elementwise},
    {"Add", elementwise},
    {"And", elementwise},
    {"ArgMax", onnx_arg},
    {"ArgMin", onnx_arg},
    {"Asin", elementwise},
    {"Asinh", elementwise},
    {"Atan", elementwise},
    {"Atanh", elementwise},
    {"Cast", elementwise},
    {"Ceil", elementwise},
    {"Celu", elementwise},
    {"Clip", first_input},
    {"Concat", along_first_axis},
    {"Cos", elementwise},
    {"Cosh", elementwise},
    {"DequantizeLinear", quantize_linear},
    {"Div", elementwise},
    {"Dropout", first_input},
    {"Elu", elementwise},
    {"Equal", elementwise},
    {"Erf", elementwise},
    {"Exp", elementwise},
    {"Floor", elementwise},
    {"Gelu", elementwise},
    {"Greater", elementwise},
    {"GreaterOrEqual", elementwise},
    {"HardSigmoid", elementwise},
    {"HardSwish", elementwise},
    {"Hardmax", along_last_axis},
    {"Identity", elementwise},
    {"LeakyRelu", elementwise},
    {"Less", elementwise},
    {"LessOrEqual", elementwise},
    {"Log", elementwise},
    {"LogSoftmax", along_last_axis},
    {"Max", elementwise},
    {"Mean", elementwise},
    {"Min", elementwise},
    {"Mish", elementwise},
    {"Mod", elementwise},
    {"Mul", elementwise},
    {"Neg", elementwise},
    {"Not", elementwise},
    {"Or", elementwise},
    {"PRelu", elementwise},
    {"Pad", onnx_pad},
    {"Pow", elementwise},
    {"QuantizeLinear", quantize_linear},
    {"Reciprocal", elementwise},
    {"ReduceL1", onnx_reduce},
    {"ReduceL2", onnx_reduce},
    {"ReduceLogSum", onnx_reduce},
    {"ReduceLogSumExp", onnx_reduce},
    {"ReduceMax", onnx_reduce},
    {"ReduceMean", onnx_reduce},
    {"ReduceMin", onnx_reduce},
    {"ReduceProd", onnx_reduce},
    {"ReduceSum", onnx_reduce},
    {"ReduceSumSquare", onnx_reduce},
    {"Relu", elementwise},
    {"Resize", onnx_resize},
    {"Round", elementwise},
    {"Selu", elementwise},
    {"Sigmoid", elementwise},
    {"Sign", elementwise},
    {"Sin", elementwise},
    {"Sinh", elementwise},
    {"Slice", onnx_slice},
    {"Softmax", along_last_axis},
    {"Softplus", elementwise},
    {"Softsign", elementwise},
    {"Split", onnx_split},
    {"Sqrt", elementwise},
    {"Sub", elementwise},
    {"Sum", elementwise},
    {"Tan", elementwise},
    {"Tanh", elementwise},
    {"ThresholdedRelu", elementwise},
    {"Where", elementwise},
    {"Xor", elementwise},
};

constexpr Row kTflite[] = {
    {"ABS", elementwise},
    {"ADD", elementwise},
    {"CAST", elementwise},
    {"CEIL", elementwise},
    {"CONCATENATION", along_first_axis},
    {"COS", elementwise},
    {"DEQUANTIZE", first_input},
    {"DIV", elementwise},
    {"ELU", elementwise},
    {"EQUAL", elementwise},
    {"EXP", elementwise},
    {"FLOOR", elementwise},
    {"FLOOR_DIV", elementwise},
    {"FLOOR_MOD", elementwise},
    {"GELU", elementwise},
    {"GREATER", elementwise},
    {"GREATER_EQUAL", elementwise},
    {"HARD_SWISH", elementwise},
    {"L2_NORMALIZATION", last_axis_stays},
    {"LEAKY_RELU", elementwise},
    {"LESS", elementwise},
    {"LESS_EQUAL", elementwise},
    {"LOG", elementwise},
    {"LOGICAL_AND", elementwise},
    {"LOGICAL_NOT", elementwise},
    {"LOGICAL_OR", elementwise},
    {"LOGISTIC", elementwise},
    {"LOG_SOFTMAX", last_axis_stays},
    {"MAXIMUM", elementwise},
    {"MEAN", tflite_reduce},
    {"MINIMUM", elementwise},
    {"MIRROR_PAD", tflite_pad},
    {"MUL", elementwise},
    {"NEG", elementwise},
    {"NOT_EQUAL", elementwise},
    {"PAD", tflite_pad},
    {"PADV2", tflite_pad},
    {"POW", elementwise},
    {"PRELU", elementwise},
    {"QUANTIZE", first_input},
    {"REDUCE_MAX", tflite_reduce},
    {"REDUCE_MIN", tflite_reduce},
    {"REDUCE_PROD", tflite_reduce},
    {"RELU", elementwise},
    {"RELU6", elementwise},
    {"RELU_0_TO_1", elementwise},
    {"RELU_N1_TO_1", elementwise},
    {"ROUND", elementwise},
    {"RSQRT", elementwise},
    {"SELECT_V2", elementwise},
    {"SIGN", elementwise},
    {"SIN", elementwise},
    {"SLICE", tflite_slice},
    {"SOFTMAX", last_axis_stays},
    {"SQRT", elementwise},
    {"SQUARE", elementwise},
    {"SQUARED_DIFFERENCE", elementwise},
    {"STRIDED_SLICE", tflite_strided_slice},
    {"SUB", elementwise},
    {"SUM", tflite_reduce},
    {"TANH", elementwise},
};

Rule find_rule(const Node& node) {
  if (!is_tflite(node) && !node.domain.empty()) return nullptr;
  const std::span<const Row> rows = is_tflite(node) ? std::span<const Row>(kTflite) : std::span<const Row>(kOnnx);
  const auto row = std::ranges::find(rows, node.op, &Row::op);
  return row == rows.end() ? nullptr : row->rule;
}

}  // namespace

const SymbolicShape* PermuteContext::shape(std::size_t input) const {
  if (input >= node.inputs.size() || node.inputs[input] == kNoValue) return nullptr;
  const auto& found = graph.value(node.inputs[input]).type.shape;
  return found ? &*found : nullptr;
}

const Tensor* PermuteContext::constant(std::size_t input) const {
  if (input >= node.inputs.size() || node.inputs[input] == kNoValue) return nullptr;
  return graph.initializer(node.inputs[input]);
}

bool permute(PermuteContext& context) {
  const Rule rule = find_rule(context.node);
  if (rule == nullptr) return false;
  context.permuted.assign(context.node.inputs.size(), false);
  context.outputs.assign(context.node.outputs.size(), context.perm);
  context.constants.clear();
  return rule(context);
}

}  // namespace moru::model::layout
