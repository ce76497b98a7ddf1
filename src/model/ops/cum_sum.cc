// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/lines.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"x", "any shape but a scalar"}, {"axis", "int32 or int64 scalar, negative from the end"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr AttributeSpec kAttributes[] = {
    {"exclusive", AttributeKind::kInt, "1: an element is not in its own sum; 0"},
    {"reverse", AttributeKind::kInt, "1: from the end; 0"},
};
constexpr OpExample kExamples[] = {{"Running sums", R"(graph "cum_sum" {
  init x = float32[4] {1, 2, 3, 4}
  init axis = int64[] {0}
  y = CumSum(x, axis)
  output y
})",
                                    "float32[4] {1, 3, 6, 10}"},
                                   {"Of those behind", R"(graph "cum_sum" {
  init x = int32[4] {1, 2, 3, 4}
  init axis = int32[] {-1}
  y = CumSum(x, axis) {exclusive = 1, reverse = 1}
  output y
})",
                                    "int32[4] {9, 7, 4, 0}"}};

/// ONNX's own tests give a list of one number where the standard asks for a scalar.
Result<std::size_t> read_axis(const Tensor& axis, std::size_t rank) {
  if (axis.count() != 1) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("input 1 (axis): found {} numbers, expected 1", axis.count()));
  }
  return ops::normalize_axis(axis.dtype() == DType::kInt32 ? axis.data<std::int32_t>()[0] : axis.data<std::int64_t>()[0], rank);
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kInt32, DType::kInt64}));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x != nullptr && context.constant(1) != nullptr) MORU_RETURN_IF_ERROR(read_axis(*context.constant(1), x->size()));
  return ops::infer_like_input(context, ops::kNumbers);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, read_axis(context.input(1), context.input(0).rank()));
  MORU_ASSIGN_OR_RETURN(const std::int64_t exclusive, int_attribute(context.node, "exclusive", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t reverse, int_attribute(context.node, "reverse", 0));
  const ops::Lines lines = ops::lines_along(context.input(0).dims(), axis);
  return ops::for_number_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    const auto x = context.input(0).data<T>();
    const auto y = context.outputs[0].mutable_data<T>();
    for (std::int64_t line = 0; line < lines.count; ++line) {
      ops::Wide<T> sum{0};
      for (std::int64_t i = 0; i < lines.extent; ++i) {
        const std::int64_t step = reverse != 0 ? lines.extent - 1 - i : i;
        const std::size_t at = lines.start(line) + static_cast<std::size_t>(step * lines.inner);
        const ops::Wide<T> next = ops::wrap_add(sum, ops::widen(x[at]));
        y[at] = ops::narrow<T>(exclusive != 0 ? sum : next);
        sum = next;
      }
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_cum_sum;
constinit const OpSpec kOp_cum_sum{.name = "CumSum",
                                   .domain = "",
                                   .since = 11,
                                   .doc =
                                       "Along one axis, any shape: the sum of all elements up to each one, made in double and rounded once "
                                       "an element; integers wrap around.",
                                   .inputs = kInputs,
                                   .outputs = kOutputs,
                                   .attributes = kAttributes,
                                   .infer = infer,
                                   .reference = reference,
                                   .examples = kExamples};

}  // namespace moru::model
