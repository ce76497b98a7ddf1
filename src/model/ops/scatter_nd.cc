// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/indices.h"
#include "model/ops/support/loops.h"
#include "model/ops/support/scatter.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type, rank 1 or more"},
                                {"indices", "int64 [I..., k]: tuples of indices of the first k axes; negative: from the end"},
                                {"updates", "data's type, [I..., data's axes behind k]"}};
constexpr PortSpec kOutputs[] = {{"output", "as data"}};
constexpr AttributeSpec kAttributes[] = {{"reduction", AttributeKind::kString, ops::kReductionDoc}};
constexpr OpExample kExamples[] = {{"One row of a matrix", R"(graph "scatter_nd" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init indices = int64[1, 1] {1}
  init updates = float32[1, 2] {0, 9}
  y = ScatterND(x, indices, updates)
  output y
})",
                                    "float32[2, 2] {1, 2, 0, 9}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::infer_scatter(context, {DType::kInt64}));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* indices = ops::shape_of(context, 1);
  if (x == nullptr || indices == nullptr) return {};
  if (indices->empty() || x->empty()) return ops::input_error(context, 1, "found rank 0, expected 1 or more, as data");
  const Dim& tuple = indices->back();
  if (!tuple.known()) return {};
  if (tuple.value < 1 || tuple.value > std::ssize(*x)) {
    return ops::input_error(context, 1, fmt::format("found tuples of {}, expected 1 to {} indices", tuple.value, x->size()));
  }
  SymbolicShape expected(indices->begin(), indices->end() - 1);
  expected.insert(expected.end(), x->begin() + tuple.value, x->end());
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, expected.size(), "[I..., data's axes behind those]"));
  for (std::size_t axis = 0; axis < expected.size(); ++axis) {
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, axis, expected[axis], "[I..., data's axes behind those]"));
  }
  return {};
}

Status reference(EvalContext& context) {
  const Dims& dims = context.input(0).dims();
  const auto indices = context.input(1).data<std::int64_t>();
  const auto k = static_cast<std::size_t>(context.input(1).dims().back());
  std::vector<std::int64_t> targets(indices.size() / k, 0);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t index, ops::checked_index(indices[i], dims[i % k], "input 1 (indices)", i));
    targets[i / k] = targets[i / k] * dims[i % k] + index;
  }
  return ops::scatter(context, targets, ops::product_of(std::span(dims).subspan(k)));
}

}  // namespace

extern const OpSpec kOp_scatter_nd;
const OpSpec kOp_scatter_nd{
    .name = "ScatterND",
    .domain = "",
    .since = 11,
    .doc =
        "A copy of data with slices written by tuples of indices: output[indices[i..., 0], ..., indices[i..., k - 1]] = "
        "updates[i...], in order.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .downgrade = ops::downgrade_reduction};

}  // namespace moru::model
