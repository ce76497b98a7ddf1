// SPDX-License-Identifier: Apache-2.0
// Ops that have a counterpart with the same inputs.
#include <fmt/format.h>

#include "model/convert/rewrite.h"
#include "model/convert/support/activation.h"
#include "model/convert/support/op_name.h"

namespace moru::model::convert {
namespace {

template <OpName kOp>
Status same(Rewrite& rewrite) {
  rewrite.add(kOp.data, rewrite.node.inputs, rewrite.node.outputs);
  return {};
}

template <OpName kOp>
Status binary(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const ValueId made, before_activation(rewrite, rewrite.output()));
  rewrite.add(kOp.data, rewrite.node.inputs, {made});
  return add_activation(rewrite, made, rewrite.output());
}

template <OpName kActivationName>
Status activation(Rewrite& rewrite) {
  return add_activation_named(rewrite, kActivationName.data, rewrite.input(0), rewrite.output());
}

Status leaky_relu(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const float alpha, float_attribute(rewrite.node, "alpha", 0.0F));
  rewrite.add("LeakyRelu", {rewrite.input(0)}, {rewrite.output()}, {{"alpha", alpha}});
  return {};
}

Status gelu(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t approximate, int_attribute(rewrite.node, "approximate", 0));
  rewrite.add("Gelu", {rewrite.input(0)}, {rewrite.output()}, {{"approximate", std::string(approximate != 0 ? "tanh" : "none")}});
  return {};
}

Status rsqrt(Rewrite& rewrite) {
  const ValueId root = real_value(rewrite, rewrite.output());
  rewrite.add("Sqrt", {rewrite.input(0)}, {root});
  rewrite.add("Reciprocal", {root}, {rewrite.output()});
  return {};
}

Status square(Rewrite& rewrite) {
  rewrite.add("Mul", {rewrite.input(0), rewrite.input(0)}, {rewrite.output()});
  return {};
}

Status squared_difference(Rewrite& rewrite) {
  const ValueId difference = real_value(rewrite, rewrite.output());
  rewrite.add("Sub", rewrite.node.inputs, {difference});
  rewrite.add("Mul", {difference, difference}, {rewrite.output()});
  return {};
}

Status not_equal(Rewrite& rewrite) {
  const ValueId equal = rewrite.value(rewrite.type(rewrite.output()));
  rewrite.add("Equal", rewrite.node.inputs, {equal});
  rewrite.add("Not", {equal}, {rewrite.output()});
  return {};
}

/// ONNX's number of an element type.
Result<std::int64_t> onnx_type(const Rewrite& rewrite, const ValueType& type) {
  switch (type.dtype.value_or(DType::kString)) {
    case DType::kFloat32: return 1;
    case DType::kUInt8: return 2;
    case DType::kInt8: return 3;
    case DType::kUInt16: return 4;
    case DType::kInt16: return 5;
    case DType::kInt32: return 6;
    case DType::kInt64: return 7;
    case DType::kBool: return 9;
    case DType::kFloat16: return 10;
    case DType::kFloat64: return 11;
    case DType::kUInt32: return 12;
    case DType::kUInt64: return 13;
    default: return rewrite.unsupported("an element type of another kind", "integers, floats or bool");
  }
}

Status cast(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t to, onnx_type(rewrite, rewrite.type(rewrite.output())));
  rewrite.add("Cast", {rewrite.input(0)}, {rewrite.output()}, {{"to", to}});
  return {};
}

/// The types say it: a pair is put wherever one is quantised. Constants of 16 bits are cast.
Status quantize(Rewrite& rewrite) {
  const bool stored = rewrite.type(rewrite.input(0)).quantization || rewrite.type(rewrite.input(0)).dtype == DType::kFloat32;
  if (!stored) return cast(rewrite);
  rewrite.add("Identity", {rewrite.input(0)}, {rewrite.output()});
  return {};
}

constexpr Conversion kRows[] = {
    {"ABS", same<"Abs">},
    {"ADD", binary<"Add">},
    {"CAST", cast},
    {"CEIL", same<"Ceil">},
    {"COS", same<"Cos">},
    {"DEQUANTIZE", quantize},
    {"DIV", binary<"Div">},
    {"ELU", same<"Elu">},
    {"EQUAL", same<"Equal">},
    {"EXP", same<"Exp">},
    {"FLOOR", same<"Floor">},
    {"GELU", gelu},
    {"GREATER", same<"Greater">},
    {"GREATER_EQUAL", same<"GreaterOrEqual">},
    {"HARD_SWISH", same<"HardSwish">},
    {"LEAKY_RELU", leaky_relu},
    {"LESS", same<"Less">},
    {"LESS_EQUAL", same<"LessOrEqual">},
    {"LOG", same<"Log">},
    {"LOGICAL_AND", same<"And">},
    {"LOGICAL_NOT", same<"Not">},
    {"LOGICAL_OR", same<"Or">},
    {"LOGISTIC", same<"Sigmoid">},
    {"MAXIMUM", same<"Max">},
    {"MINIMUM", same<"Min">},
    {"MUL", binary<"Mul">},
    {"NEG", same<"Neg">},
    {"NOT_EQUAL", not_equal},
    {"POW", same<"Pow">},
    {"PRELU", same<"PRelu">},
    {"QUANTIZE", quantize},
    {"RELU", activation<"RELU">},
    {"RELU6", activation<"RELU6">},
    {"RELU_0_TO_1", activation<"RELU_0_TO_1">},
    {"RELU_N1_TO_1", activation<"RELU_N1_TO_1">},
    {"ROUND", same<"Round">},
    {"RSQRT", rsqrt},
    {"SELECT", same<"Where">},
    {"SELECT_V2", same<"Where">},
    {"SIGN", same<"Sign">},
    {"SIN", same<"Sin">},
    {"SQRT", same<"Sqrt">},
    {"SQUARE", square},
    {"SQUARED_DIFFERENCE", squared_difference},
    {"SUB", binary<"Sub">},
    {"TANH", same<"Tanh">},
};

}  // namespace

extern const ConversionSet kToOnnx_simple;
const ConversionSet kToOnnx_simple{kRows};

}  // namespace moru::model::convert
