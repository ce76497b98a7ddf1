// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[..., rows, columns] of any type"},
                                {"k", "int64 scalar, which diagonal: 1 is the one above the main one; 0", true}};
constexpr PortSpec kOutputs[] = {{"output", "as input"}};
constexpr AttributeSpec kAttributes[] = {
    {"upper", AttributeKind::kInt, "1: the part on and above the diagonal is kept; 0: on and below; 1"}};
constexpr OpExample kExamples[] = {{"Below the main diagonal", R"(graph "trilu" {
  init x = int8[2, 3] {1, 2, 3, 4, 5, 6}
  init k = int64[] {-1}
  y = Trilu(x, k) {upper = 0}
  output y
})",
                                    "int8[2, 3] {0, 0, 0, 4, 0, 0}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kInt64}));
  MORU_RETURN_IF_ERROR(ops::expect_single_element(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x != nullptr && x->size() < 2) return ops::input_error(context, 0, fmt::format("found rank {}, expected 2 or more", x->size()));
  context.set_output(0, context.input(0));
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const std::int64_t upper, int_attribute(context.node, "upper", 1));
  const std::int64_t given = context.has_input(1) ? context.input(1).data<std::int64_t>()[0] : 0;
  const std::int64_t k = std::clamp(given, -ops::kMaxExtent, ops::kMaxExtent);
  std::int64_t at = -1;
  ops::gather_elements(x, context.outputs[0], [&](std::span<const std::int64_t> index) {
    const std::int64_t diagonal = index.back() - index[index.size() - 2];
    ++at;
    return (upper != 0 ? diagonal >= k : diagonal <= k) ? at : -1;
  });
  return {};
}

}  // namespace

extern const OpSpec kOp_trilu;
const OpSpec kOp_trilu{
    .name = "Trilu",
    .domain = "",
    .since = 14,
    .doc =
        "The upper or lower triangle of each matrix, zeros elsewhere: output[..., i, j] = input[..., i, j] where j - i >= k "
        "(upper) or j - i <= k.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
