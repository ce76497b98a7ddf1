// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/random.h"

#include <fmt/format.h>

#include <bit>

#include "model/ops/support/elementwise.h"

namespace moru::model::ops {
namespace {

Status set_float_output(InferContext& context, DType dtype, std::optional<SymbolicShape> shape) {
  if (std::ranges::find(kFloats, dtype) == kFloats.end()) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("attribute 'dtype': found {}, expected float32, float64, float16 or bfloat16", to_string(dtype)));
  }
  context.set_output(0, {dtype, std::move(shape)});
  return {};
}

}  // namespace

Result<Rng> make_rng(const Node& node) {
  if (!node.attributes.contains("seed")) return Rng(node.outputs.empty() ? 0 : static_cast<std::uint64_t>(node.outputs[0]));
  MORU_ASSIGN_OR_RETURN(const float seed, float_attribute(node, "seed", 0));
  return Rng(std::bit_cast<std::uint32_t>(seed));
}

Status infer_random(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const DType dtype, dtype_attribute(context.node(), "dtype", DType::kFloat32));
  MORU_ASSIGN_OR_RETURN(const auto dims, ints_attribute(context.node(), "shape", {}));
  SymbolicShape shape;
  for (const std::int64_t dim : dims) {
    if (dim < 0) return fail(ErrorCode::kInvalidArgument, "attribute 'shape': found a negative extent, expected 0 or more");
    shape.push_back({dim, {}});
  }
  return set_float_output(context, dtype, std::move(shape));
}

Status infer_random_like(InferContext& context) {
  const auto known = context.input(0).dtype;
  if (!known && !context.node().attributes.contains("dtype")) {
    context.set_output(0, {std::nullopt, context.input(0).shape});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(const DType dtype, dtype_attribute(context.node(), "dtype", known.value_or(DType::kFloat32)));
  return set_float_output(context, dtype, context.input(0).shape);
}

Status fill_normal(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double mean, real_attribute(context.node, "mean", 0));
  MORU_ASSIGN_OR_RETURN(const double scale, real_attribute(context.node, "scale", 1));
  return fill_random(context, [&](Rng& rng) { return mean + scale * rng.normal(); });
}

Status fill_uniform(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const double low, real_attribute(context.node, "low", 0));
  MORU_ASSIGN_OR_RETURN(const double high, real_attribute(context.node, "high", 1));
  return fill_random(context, [&](Rng& rng) { return low + (high - low) * rng.uniform(); });
}

}  // namespace moru::model::ops
