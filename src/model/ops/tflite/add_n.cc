// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"inputs", "one or more, of one type and shape"}};
constexpr PortSpec kOutputs[] = {{"output", "as the inputs"}};
constexpr OpExample kExamples[] = {{"Three", R"(graph "add_n" {
  init a = float32[1] {1}
  y: float32[1] = tflite::ADD_N(a, a, a)
  output y
})",
                                    "float32[1] {3}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, {DType::kFloat32, DType::kInt32}));
  for (std::size_t i = 1; i < context.input_count(); ++i) {
    const SymbolicShape* first = ops::shape_of(context, 0);
    const SymbolicShape* x = ops::shape_of(context, i);
    if (first == nullptr || x == nullptr) continue;
    MORU_RETURN_IF_ERROR(ops::expect_rank(context, i, first->size(), "as input 0"));
    for (std::size_t axis = 0; axis < first->size(); ++axis)
      MORU_RETURN_IF_ERROR(ops::expect_extent(context, i, axis, (*first)[axis], "as input 0"));
  }
  context.set_output(0, {dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  return ops::fold_numbers(context, [](auto a, auto b) { return ops::wrap_add(a, b); }, [](auto sum, auto) { return sum; });
}

}  // namespace

extern const OpSpec kOp_tflite_add_n;
const OpSpec kOp_tflite_add_n{.name = "ADD_N",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "The sum of all inputs, which have one shape.",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = {},
                              .variadic_inputs = true,
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
