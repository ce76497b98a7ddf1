// SPDX-License-Identifier: Apache-2.0
// Ops that have a counterpart with the same inputs.
#include <fmt/format.h>

#include <cmath>

#include "model/convert/rewrite.h"
#include "model/convert/support/op_name.h"

namespace moru::model::convert {
namespace {

template <OpName kOp>
Status same(Rewrite& rewrite) {
  rewrite.add(kOp.data, rewrite.node.inputs, rewrite.node.outputs);
  return {};
}

/// Add and its kin, which may have an activation inside.
template <OpName kOp>
Status binary(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const std::string activation, string_attribute(rewrite.node, kActivation, std::string(kNoActivation)));
  rewrite.add(kOp.data, rewrite.node.inputs, rewrite.node.outputs, {{std::string(kActivation), activation}});
  return {};
}

/// Any number of inputs, two at a time.
template <OpName kOp>
Status fold(Rewrite& rewrite) {
  ValueId sum = rewrite.input(0);
  const std::size_t count = rewrite.node.inputs.size();
  if (count == 1) {
    rewrite.reshape_to(sum, rewrite.output());
    return {};
  }
  for (std::size_t i = 1; i < count; ++i) {
    const ValueId to = i + 1 == count ? rewrite.output() : rewrite.value(rewrite.type(rewrite.output()));
    rewrite.add(kOp.data, {sum, rewrite.input(i)}, {to});
    sum = to;
  }
  return {};
}

Status reciprocal(Rewrite& rewrite) {
  rewrite.add("DIV", {rewrite.constant("one", Tensor::scalar(1.0F)), rewrite.input(0)}, {rewrite.output()});
  return {};
}

Status clip(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const float low, rewrite.real(1, -HUGE_VALF));
  MORU_ASSIGN_OR_RETURN(const float high, rewrite.real(2, HUGE_VALF));
  const auto as = [&](std::string_view op) {
    rewrite.add(op, {rewrite.input(0)}, {rewrite.output()});
    return Status{};
  };
  if (low == 0 && high == 6) return as("RELU6");
  if (low == 0 && high == 1) return as("RELU_0_TO_1");
  if (low == -1 && high == 1) return as("RELU_N1_TO_1");
  if (low == 0 && high == HUGE_VALF) return as("RELU");
  if (rewrite.type(rewrite.output()).quantization)
    return rewrite.unsupported("a quantised Clip of other bounds", "0 to 6, -1 to 1 or 0 and up");
  if (rewrite.type(rewrite.output()).dtype != DType::kFloat32) return rewrite.unsupported("a Clip of another type", "float32");
  const ValueId above = rewrite.value(rewrite.type(rewrite.output()));
  rewrite.add("MAXIMUM", {rewrite.input(0), rewrite.constant("low", Tensor::scalar(low))}, {above});
  rewrite.add("MINIMUM", {above, rewrite.constant("high", Tensor::scalar(high))}, {rewrite.output()});
  return {};
}

Status leaky_relu(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const float alpha, float_attribute(rewrite.node, "alpha", 0.01F));
  rewrite.add("LEAKY_RELU", {rewrite.input(0)}, {rewrite.output()}, {{"alpha", alpha}});
  return {};
}

Status elu(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const float alpha, float_attribute(rewrite.node, "alpha", 1.0F));
  if (alpha != 1.0F) return rewrite.unsupported(fmt::format("alpha {}", alpha), "1, since TFLite's ELU has no other");
  return same<"ELU">(rewrite);
}

Status hard_sigmoid(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const float alpha, float_attribute(rewrite.node, "alpha", 0.2F));
  MORU_ASSIGN_OR_RETURN(const float beta, float_attribute(rewrite.node, "beta", 0.5F));
  if (rewrite.type(rewrite.output()).quantization) return rewrite.unsupported("a quantised HardSigmoid", "float32");
  rewrite.add("RELU_0_TO_1", {rewrite.scaled(rewrite.input(0), alpha, beta)}, {rewrite.output()});
  return {};
}

/// The slope stretches over x from the last axis; TFLite's needs the rank of x less the batch.
Status p_relu(Rewrite& rewrite) {
  rewrite.add("PRELU", rewrite.node.inputs, {rewrite.output()});
  return {};
}

Status gelu(Rewrite& rewrite) {
  const auto approximate = string_attribute(rewrite.node, "approximate", "none");
  if (!approximate) return std::unexpected(approximate.error());
  rewrite.add("GELU", {rewrite.input(0)}, {rewrite.output()}, {{"approximate", std::int64_t{*approximate == "tanh" ? 1 : 0}}});
  return {};
}

Status batch_normalization(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const float epsilon, float_attribute(rewrite.node, "epsilon", 1e-5F));
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  std::vector<std::span<const float>> parameters;
  for (std::size_t i = 1; i < 5; ++i) {
    const Tensor* tensor = rewrite.constant(i);
    if (tensor == nullptr || tensor->dtype() != DType::kFloat32)
      return rewrite.unsupported("parameters that are computed", "constants of float32");
    parameters.push_back(tensor->data<float>());
  }
  std::vector<float> factors;
  std::vector<float> summands;
  for (std::size_t i = 0; i < parameters[0].size(); ++i) {
    const double factor =
        static_cast<double>(parameters[0][i]) / std::sqrt(static_cast<double>(parameters[3][i]) + static_cast<double>(epsilon));
    factors.push_back(static_cast<float>(factor));
    summands.push_back(static_cast<float>(static_cast<double>(parameters[1][i]) - static_cast<double>(parameters[2][i]) * factor));
  }
  Dims dims(shape.size() - 1, 1);
  dims[0] = std::ssize(factors);
  const ValueId between = rewrite.value(rewrite.type(rewrite.output()));
  rewrite.add("MUL", {rewrite.input(0), rewrite.constant("factor", Tensor::of<float>(dims, factors))}, {between});
  rewrite.add("ADD", {between, rewrite.constant("summand", Tensor::of<float>(dims, summands))}, {rewrite.output()});
  return {};
}

Status cast(Rewrite& rewrite) {
  rewrite.add("CAST", {rewrite.input(0)}, {rewrite.output()});
  return {};
}

/// What only passes on.
Status pass_on(Rewrite& rewrite) {
  MORU_ASSIGN_OR_RETURN(const SymbolicShape shape, rewrite.shape(rewrite.input(0)));
  rewrite.reshape_to(rewrite.input(0), rewrite.output());
  return {};
}

Status dropout(Rewrite& rewrite) {
  if (rewrite.node.outputs.size() > 1 && rewrite.node.outputs[1] != kNoValue) {
    return rewrite.unsupported("the output of a mask", "only the values");
  }
  const Tensor* training = rewrite.constant(2);
  if (rewrite.has_input(2) && (training == nullptr || training->data<bool>()[0])) return rewrite.unsupported("training", "inference");
  return pass_on(rewrite);
}

Status pow(Rewrite& rewrite) {
  if (rewrite.type(rewrite.input(0)).dtype != rewrite.type(rewrite.input(1)).dtype) {
    return rewrite.unsupported("a base and an exponent of two types", "one");
  }
  return same<"POW">(rewrite);
}

Status quantize(Rewrite& rewrite) {
  if (!rewrite.type(rewrite.output()).quantization) return rewrite.unsupported("scales that are computed, or of blocks", "constants");
  rewrite.add("QUANTIZE", {rewrite.input(0)}, {rewrite.output()});
  return {};
}

Status dequantize(Rewrite& rewrite) {
  if (!rewrite.type(rewrite.input(0)).quantization) return rewrite.unsupported("scales that are computed, or of blocks", "constants");
  rewrite.add("DEQUANTIZE", {rewrite.input(0)}, {rewrite.output()});
  return {};
}

constexpr Conversion kRows[] = {
    {"Abs", same<"ABS">},
    {"Add", binary<"ADD">},
    {"And", same<"LOGICAL_AND">},
    {"BatchNormalization", batch_normalization},
    {"Cast", cast},
    {"Ceil", same<"CEIL">},
    {"Clip", clip},
    {"Cos", same<"COS">},
    {"DequantizeLinear", dequantize},
    {"Div", binary<"DIV">},
    {"Dropout", dropout},
    {"Elu", elu},
    {"Equal", same<"EQUAL">},
    {"Exp", same<"EXP">},
    {"Floor", same<"FLOOR">},
    {"Gelu", gelu},
    {"Greater", same<"GREATER">},
    {"GreaterOrEqual", same<"GREATER_EQUAL">},
    {"HardSigmoid", hard_sigmoid},
    {"HardSwish", same<"HARD_SWISH">},
    {"Identity", pass_on},
    {"LeakyRelu", leaky_relu},
    {"Less", same<"LESS">},
    {"LessOrEqual", same<"LESS_EQUAL">},
    {"Log", same<"LOG">},
    {"Max", fold<"MAXIMUM">},
    {"Min", fold<"MINIMUM">},
    {"Mul", binary<"MUL">},
    {"Neg", same<"NEG">},
    {"Not", same<"LOGICAL_NOT">},
    {"Or", same<"LOGICAL_OR">},
    {"PRelu", p_relu},
    {"Pow", pow},
    {"QuantizeLinear", quantize},
    {"Reciprocal", reciprocal},
    {"Relu", same<"RELU">},
    {"Round", same<"ROUND">},
    {"Sigmoid", same<"LOGISTIC">},
    {"Sign", same<"SIGN">},
    {"Sin", same<"SIN">},
    {"Sqrt", same<"SQRT">},
    {"Sub", binary<"SUB">},
    {"Sum", fold<"ADD">},
    {"Tanh", same<"TANH">},
    {"Where", same<"SELECT_V2">},
};

}  // namespace

extern const ConversionSet kToTflite_simple;
const ConversionSet kToTflite_simple{kRows};

}  // namespace moru::model::convert
