// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

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
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kNumeric));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 0, "a scalar"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 0, "a scalar"));
  context.set_output(0, {dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  return ops::for_numeric_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    const bool has_min = context.has_input(1);
    const bool has_max = context.has_input(2);
    const T low = has_min ? context.input(1).data<T>()[0] : T{};
    const T high = has_max ? context.input(2).data<T>()[0] : T{};
    // min(max(x, low), high): where low > high it is high, and NaN stays NaN.
    std::ranges::transform(context.input(0).data<T>(), context.outputs[0].mutable_data<T>().begin(), [&](T x) {
      if (has_min && x < low) x = low;
      if (has_max && high < x) x = high;
      return x;
    });
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_clip;
const OpSpec kOp_clip{.name = "Clip",
                      .domain = "",
                      .since = 11,
                      .doc = "Element by element, any shape: output = min(max(input, min), max).",
                      .inputs = kInputs,
                      .outputs = kOutputs,
                      .attributes = {},
                      .infer = infer,
                      .reference = reference,
                      .examples = kExamples};

}  // namespace moru::model
