// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/types.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape but a scalar"}, {"axis", "int32, one element"}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr AttributeSpec kAttributes[] = {{"exclusive", AttributeKind::kInt, "1: without the element itself"},
                                         {"reverse", AttributeKind::kInt, "1: from the end"}};
constexpr OpExample kExamples[] = {{"Of a row", R"(graph "cumsum" {
  init x = float32[3] {1, 2, 3}
  init a = int32[] {0}
  y: float32[3] = tflite::CUMSUM(x, a)
  output y
})",
                                    "float32[3] {1, 3, 6}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, {DType::kFloat32, DType::kInt32, DType::kInt64}));
  MORU_ASSIGN_OR_RETURN(const auto axis, ops::constant_index(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (axis && x != nullptr) MORU_RETURN_IF_ERROR_IN(ops::input_label(context, 1), ops::normalize_axis(*axis, x->size()));
  context.set_output(0, {context.input(0).dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  if (x.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(ops::to_ints(context.input(1)).at(0), x.rank()));
  MORU_ASSIGN_OR_RETURN(const std::int64_t exclusive, int_attribute(context.node, "exclusive", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t reverse, int_attribute(context.node, "reverse", 0));
  const std::int64_t inner = ops::product_of(std::span(x.dims()).subspan(axis + 1));
  const std::int64_t extent = x.dims()[axis];
  return ops::for_dtype<float, std::int32_t, std::int64_t>(x.dtype(), [&]<class T>() -> Status {
    const auto data = x.data<T>();
    const auto y = context.outputs[0].mutable_data<T>();
    for (std::int64_t line = 0; line < x.count() / extent; ++line) {
      ops::Wide<T> sum{};
      for (std::int64_t k = 0; k < extent; ++k) {
        const auto at =
            static_cast<std::size_t>(line / inner * inner * extent + (reverse != 0 ? extent - 1 - k : k) * inner + line % inner);
        const auto before = sum;
        sum = ops::wrap_add(sum, ops::widen(data[at]));
        y[at] = ops::narrow<T>(exclusive != 0 ? before : sum);
      }
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_tflite_cumsum;
const OpSpec kOp_tflite_cumsum{.name = "CUMSUM",
                               .domain = "tflite",
                               .since = 1,
                               .doc = "The sum of all elements up to each along one axis.",
                               .inputs = kInputs,
                               .outputs = kOutputs,
                               .attributes = kAttributes,
                               .infer = infer,
                               .reference = reference,
                               .examples = kExamples};

}  // namespace moru::model
