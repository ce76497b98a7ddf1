// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type and shape"}};
constexpr PortSpec kOutputs[] = {{"size", "int64 scalar"}};
constexpr OpExample kExamples[] = {{"Of a matrix", R"(graph "size" {
  init x = float32[2, 3] {1, 2, 3, 4, 5, 6}
  y = Size(x)
  output y
})",
                                    "int64[] {6}"}};

Status infer(InferContext& context) {
  if (const SymbolicShape* x = ops::shape_of(context, 0)) {
    MORU_ASSIGN_OR_RETURN(const Dim count, ops::product(*x));
    if (count.known()) context.set_value(0, Tensor::scalar(count.value));
  }
  context.set_output(0, {DType::kInt64, SymbolicShape()});
  return {};
}

Status reference(EvalContext& context) {
  context.outputs[0].mutable_data<std::int64_t>()[0] = context.input(0).count();
  return {};
}

}  // namespace

extern const OpSpec kOp_size;
const OpSpec kOp_size{.name = "Size",
                      .domain = "",
                      .since = 1,
                      .doc = "The number of elements of a tensor: the product of its extents, as int64.",
                      .inputs = kInputs,
                      .outputs = kOutputs,
                      .attributes = {},
                      .infer = infer,
                      .reference = reference,
                      .examples = kExamples};

}  // namespace moru::model
