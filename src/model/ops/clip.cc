// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/convert.h"
#include "model/ops/support/elementwise.h"
#include "model/ops/support/rewrite.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {
    {"input", "any shape"}, {"min", "scalar; the type's lowest", true}, {"max", "scalar; the type's highest", true}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr OpExample kExamples[] = {{"Relu6", R"(graph "relu6" {
  init x = float32[3] {-1, 3, 9}
  init low = float32[] {0}
  init high = float32[] {6}
  y = Clip(x, low, high)
  output y
})",
                                    "float32[3] {0, 3, 6}"},
                                   {"Only from above", R"(graph "upper" {
  init x = int8[3] {-100, 3, 9}
  init high = int8[] {6}
  y = Clip(x, _, high)
  output y
})",
                                    "int8[3] {-100, 3, 6}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kNumbers));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 0, "a scalar"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 0, "a scalar"));
  context.set_output(0, {dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  return ops::for_number_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    const bool has_min = context.has_input(1);
    const bool has_max = context.has_input(2);
    const auto low = has_min ? ops::widen(context.input(1).data<T>()[0]) : ops::Wide<T>{};
    const auto high = has_max ? ops::widen(context.input(2).data<T>()[0]) : ops::Wide<T>{};
    // min(max(x, low), high): where low > high it is high, and NaN stays NaN.
    std::ranges::transform(context.input(0).data<T>(), context.outputs[0].mutable_data<T>().begin(), [&](T given) {
      auto x = ops::widen(given);
      if (has_min && x < low) x = low;
      if (has_max && high < x) x = high;
      return ops::narrow<T>(x);
    });
    return {};
  });
}

/// Before opset 11 the bounds were attributes. They are floats; the input's type is float too where it is not known.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 11) return {};
  MORU_RETURN_IF_ERROR(ops::drop_consumed_inputs(rewrite));
  MORU_RETURN_IF_ERROR(ops::expect_inputs(rewrite, 1));
  const DType dtype = rewrite.graph.value(rewrite.node.inputs[0]).type.dtype.value_or(DType::kFloat32);
  for (const auto& [index, name] : {std::pair(1U, "min"), std::pair(2U, "max")}) {
    if (!rewrite.node.attributes.contains(name)) continue;
    MORU_ASSIGN_OR_RETURN(const float bound, float_attribute(rewrite.node, name, 0));
    MORU_ASSIGN_OR_RETURN(Tensor tensor, ops::convert(Tensor::scalar(bound), dtype));
    ops::drop_attribute(rewrite, name);
    rewrite.node.inputs.resize(std::max<std::size_t>(rewrite.node.inputs.size(), index + 1), kNoValue);
    rewrite.node.inputs[index] = ops::add_constant(rewrite, name, std::move(tensor));
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_clip;
constinit const OpSpec kOp_clip{.name = "Clip",
                                .domain = "",
                                .since = 1,
                                .doc = "Element by element, any shape: output = min(max(input, min), max).",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attributes = {},
                                .infer = infer,
                                .reference = reference,
                                .examples = kExamples,
                                .gaps = {},
                                .upgrade = upgrade};

}  // namespace moru::model
