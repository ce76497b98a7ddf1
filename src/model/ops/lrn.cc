// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, ...]"}};
constexpr PortSpec kOutputs[] = {{"Y", "as X"}};
constexpr AttributeSpec kAttributes[] = {{"alpha", AttributeKind::kFloat, "weight of the squares; 1e-4"},
                                         {"beta", AttributeKind::kFloat, "exponent; 0.75"},
                                         {"bias", AttributeKind::kFloat, "added before the power; 1"},
                                         {"size", AttributeKind::kInt, "channels that are summed over", true}};
constexpr OpExample kExamples[] = {{"A channel and its neighbours", R"(graph "lrn" {
  init x = float32[1, 3, 1] {1, 2, 3}
  y = LRN(x) {alpha = 3.0, beta = 1.0, bias = 1.0, size = 3}
  output y
})",
                                    "float32[1, 3, 1] {0.16666667, 0.13333334, 0.21428572}"}};

Result<std::int64_t> read_size(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t size, int_attribute(node, "size", 1));
  if (size >= 1 && size <= ops::kMaxExtent) return size;
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'size': found {}, expected 1 or more", size));
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(read_size(context.node()));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x != nullptr && x->size() < 2)
    return ops::input_error(context, 0, fmt::format("found shape {}, expected [N, C, ...]", to_string(*x)));
  return ops::infer_like_input(context, ops::kReals);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t size, read_size(context.node));
  MORU_ASSIGN_OR_RETURN(const float alpha, float_attribute(context.node, "alpha", 1e-4F));
  MORU_ASSIGN_OR_RETURN(const float beta, float_attribute(context.node, "beta", 0.75F));
  MORU_ASSIGN_OR_RETURN(const float bias, float_attribute(context.node, "bias", 1.0F));
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(context.input(0)));
  if (x.count() == 0) return {};
  const std::int64_t channels = x.dims()[1];
  const std::int64_t plane = ops::product_of(std::span(x.dims()).subspan(2));
  const double weight = static_cast<double>(alpha) / static_cast<double>(size);
  return ops::for_float_dtype(context.outputs[0].dtype(), [&]<class T>() -> Status {
    T* y = context.outputs[0].mutable_data<T>().data();
    const double* from = x.data<double>().data();
    for (std::int64_t i = 0; i < x.count(); ++i, ++from) {
      const std::int64_t c = i / plane % channels;
      double squares = 0;
      for (std::int64_t k = std::max<std::int64_t>(0, c - (size - 1) / 2); k <= std::min(channels - 1, c + size / 2); ++k) {
        const double neighbour = from[(k - c) * plane];
        squares += neighbour * neighbour;
      }
      *y++ = ops::rounded<T>(*from / std::pow(static_cast<double>(bias) + weight * squares, static_cast<double>(beta)));
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_lrn;
const OpSpec kOp_lrn{
    .name = "LRN",
    .domain = "",
    .since = 1,
    .doc =
        "Divides each element by what its neighbour channels hold at its place. X [N, C, ...] -> Y: "
        "Y = X / (bias + alpha / size * sum over k of X[n, k]^2)^beta, k from c - floor((size - 1) / 2) to c + ceil((size - 1) / 2)",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
