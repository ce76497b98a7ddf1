// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/loops.h"
#include "model/ops/support/onnx_dtype.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[rows, columns], for its shape and type only"}};
constexpr PortSpec kOutputs[] = {{"output", "[rows, columns]"}};
constexpr AttributeSpec kAttributes[] = {{"dtype", AttributeKind::kInt, "ONNX's number of the output's type; the input's type"},
                                         {"k", AttributeKind::kInt, "which diagonal: 1 is the one above the main one; 0"}};
constexpr OpExample kExamples[] = {{"The diagonal above the main one", R"(graph "eye_like" {
  init x = float32[2, 3] {0, 0, 0, 0, 0, 0}
  y = EyeLike(x) {k = 1, dtype = 7}
  output y
})",
                                    "int64[2, 3] {0, 1, 0, 0, 0, 1}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 2, "[rows, columns]"));
  std::optional<DType> dtype = context.input(0).dtype;
  if (context.node().attributes.contains("dtype")) {
    MORU_ASSIGN_OR_RETURN(dtype, ops::dtype_attribute(context.node(), "dtype", DType::kFloat32));
  }
  if (dtype) MORU_RETURN_IF_ERROR(ops::for_number_or_bool_dtype(*dtype, []<class T>() -> Status { return {}; }));
  context.set_output(0, {dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  MORU_ASSIGN_OR_RETURN(const std::int64_t k, int_attribute(context.node, "k", 0));
  const std::int64_t columns = y.dims()[1];
  if (y.count() == 0 || k < -ops::kMaxExtent || k > ops::kMaxExtent) return {};  // nothing, or far outside
  return ops::for_number_or_bool_dtype(y.dtype(), [&]<class T>() -> Status {
    const auto elements = y.mutable_data<T>();
    for (std::int64_t row = 0; row < y.dims()[0]; ++row) {
      if (row + k >= 0 && row + k < columns)
        elements[static_cast<std::size_t>(row * columns + row + k)] = static_cast<T>(static_cast<ops::Compute<T>>(1));
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_eye_like;
const OpSpec kOp_eye_like{.name = "EyeLike",
                          .domain = "",
                          .since = 9,
                          .doc = "Ones on a diagonal, zeros elsewhere, in the shape of a matrix: output[i, i + k] = 1.",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attributes = kAttributes,
                          .infer = infer,
                          .reference = reference,
                          .examples = kExamples};

}  // namespace moru::model
