// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "model/ops/support/loops.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}};
constexpr PortSpec kOutputs[] = {{"output", "[rank], int32 or int64 as out_type says"}};
constexpr AttributeSpec kAttributes[] = {{"out_type", AttributeKind::kString, "INT32 or INT64"}};
constexpr OpExample kExamples[] = {{"Two axes", R"(graph "shape" {
  init x = float32[1, 2] {1, 2}
  y: int32[2] = tflite::SHAPE(x) {out_type = "INT32"}
  output y
})",
                                    "int32[2] {1, 2}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::string name, string_attribute(context.node(), "out_type", "INT32"));
  const DType dtype = name == "INT64" ? DType::kInt64 : DType::kInt32;
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {dtype, SymbolicShape{x == nullptr ? Dim{} : Dim{static_cast<std::int64_t>(x->size()), {}}}});
  return {};
}

Status reference(EvalContext& context) {
  const Dims& dims = context.input(0).dims();
  return ops::for_dtype<std::int32_t, std::int64_t>(context.outputs[0].dtype(), [&]<class T>() -> Status {
    std::ranges::transform(dims, context.outputs[0].mutable_data<T>().begin(), [](std::int64_t dim) { return static_cast<T>(dim); });
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_tflite_shape;
const OpSpec kOp_tflite_shape{.name = "SHAPE",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "The extents of the input as a list.",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = kAttributes,
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
