// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/loss.h"

#include <fmt/format.h>

#include <optional>

#include "model/ops/support/convert.h"
#include "model/ops/support/elementwise.h"

namespace moru::model::ops {
namespace {

constexpr std::string_view kReductions[] = {"mean", "sum", "none"};
enum Reduction : std::size_t { kMean, kSum, kNone };

}  // namespace

Status infer_loss(InferContext& context) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, 0, kFloats));
  MORU_RETURN_IF_ERROR(expect_dtype(context, 1, {DType::kInt32, DType::kInt64}));
  MORU_RETURN_IF_ERROR(expect_dtype(context, 2, kFloats));
  MORU_RETURN_IF_ERROR(expect_rank(context, 2, 1, "[C]"));
  MORU_ASSIGN_OR_RETURN(const std::size_t reduction, word_attribute(context.node(), "reduction", kReductions));
  const SymbolicShape* x = shape_of(context, 0);
  if (x != nullptr) {
    if (x->size() < 2) return input_error(context, 0, fmt::format("found {}, expected [N, C, ...]", to_string(*x)));
    MORU_RETURN_IF_ERROR(expect_rank(context, 1, x->size() - 1, "[N, ...]"));
    MORU_RETURN_IF_ERROR(expect_extent(context, 2, 0, (*x)[1], "a weight a class"));
    for (std::size_t axis = 0; axis + 1 < x->size(); ++axis) {
      MORU_RETURN_IF_ERROR(expect_extent(context, 1, axis, (*x)[axis == 0 ? 0 : axis + 1], "as in input 0"));
    }
  }
  context.set_output(0, {context.input(0).dtype, reduction == kNone ? context.input(1).shape : SymbolicShape{}});
  return {};
}

Status reference_loss(EvalContext& context, std::span<const double> log_prob) {
  MORU_ASSIGN_OR_RETURN(const std::size_t reduction, word_attribute(context.node, "reduction", kReductions));
  MORU_ASSIGN_OR_RETURN(const std::int64_t ignored, int_attribute(context.node, "ignore_index", -1));
  const bool may_ignore = context.node.attributes.contains("ignore_index");
  MORU_ASSIGN_OR_RETURN(const Tensor targets, convert(context.input(1), DType::kInt64));
  std::optional<Tensor> weights;
  if (context.has_input(2)) {
    MORU_ASSIGN_OR_RETURN(weights, convert(context.input(2), DType::kFloat64));
  }
  const Dims& dims = context.input(0).dims();
  const std::int64_t classes = dims[1];
  const std::int64_t inner = product_of(std::span(dims).subspan(2));
  std::vector<double> losses;
  double total = 0;
  double total_weight = 0;
  for (const std::int64_t target : targets.data<std::int64_t>()) {
    const auto i = std::ssize(losses);
    losses.push_back(0);
    if (may_ignore && target == ignored) continue;
    if (target < 0 || target >= classes) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("input 1 (target): found class {}, expected 0 to {}", target, classes - 1));
    }
    const double weight = weights ? weights->data<double>()[static_cast<std::size_t>(target)] : 1.0;
    losses.back() = -weight * log_prob[static_cast<std::size_t>((i / inner * classes + target) * inner + i % inner)];
    total += losses.back();
    total_weight += weight;
  }
  if (reduction != kNone) losses = {reduction == kMean ? total / total_weight : total};
  const Tensor wide = Tensor::of<double>(context.outputs[0].dims(), std::span<const double>(losses));
  MORU_ASSIGN_OR_RETURN(context.outputs[0], convert(wide, context.input(0).dtype()));
  return {};
}

}  // namespace moru::model::ops
