// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape but a scalar"}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis along which the results have norm 1; -1"},
                                         {"p", AttributeKind::kInt, "1 or 2; 2"}};
constexpr OpExample kExamples[] = {{"Rows of length 1", R"(graph "lp_normalization" {
  init x = float32[2, 2] {3, -4, 0, 0}
  y = LpNormalization(x)
  output y
})",
                                    "float32[2, 2] {0.6, -0.8, 0, 0}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(context.node(), "axis", -1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t p, int_attribute(context.node(), "p", 2));
  if (p != 1 && p != 2) return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'p': found {}, expected 1 or 2", p));
  if (const SymbolicShape* x = ops::shape_of(context, 0)) MORU_RETURN_IF_ERROR(ops::normalize_axis(axis, x->size()));
  return ops::infer_like_input(context, ops::kReals);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node, "axis", -1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t p, int_attribute(context.node, "p", 2));
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(context.input(0)));
  if (x.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, x.rank()));
  const std::int64_t inner = ops::product_of(std::span(x.dims()).subspan(axis + 1));
  const std::int64_t extent = x.dims()[axis];
  return ops::for_float_dtype(context.outputs[0].dtype(), [&]<class T>() -> Status {
    for (std::int64_t line = 0; line < x.count() / extent; ++line) {
      const std::int64_t start = line / inner * inner * extent + line % inner;
      const double* from = x.data<double>().data() + start;
      T* to = context.outputs[0].mutable_data<T>().data() + start;
      double sum = 0;
      for (std::int64_t i = 0; i < extent; ++i) sum += p == 1 ? std::abs(from[i * inner]) : from[i * inner] * from[i * inner];
      const double norm = p == 1 ? sum : std::sqrt(sum);
      // Zeros have no direction; they stay zeros.
      for (std::int64_t i = 0; i < extent; ++i) to[i * inner] = ops::rounded<T>(norm == 0 ? 0.0 : from[i * inner] / norm);
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_lp_normalization;
const OpSpec kOp_lp_normalization{
    .name = "LpNormalization",
    .domain = "",
    .since = 1,
    .doc = "Divides by the p-norm along one axis, any shape: output = input / (sum over i of |input[i]|^p)^(1/p); zeros stay zeros.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
