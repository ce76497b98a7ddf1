// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, C, H, W] of any type"}};
constexpr PortSpec kOutputs[] = {{"output", "[N, C * b^2, H / b, W / b] with b = blocksize"}};
constexpr AttributeSpec kAttributes[] = {{"blocksize", AttributeKind::kInt, "rows and columns of a block", true}};
constexpr OpExample kExamples[] = {{"A block becomes four channels", R"(graph "space_to_depth" {
  init x = float32[1, 1, 2, 4] {1, 2, 3, 4, 5, 6, 7, 8}
  y = SpaceToDepth(x) {blocksize = 2}
  output y
})",
                                    "float32[1, 4, 1, 2] {1, 3, 2, 4, 5, 7, 6, 8}"}};

Result<std::int64_t> block_of(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t block, int_attribute(node, "blocksize", 0));
  if (block >= 1 && block < (std::int64_t{1} << 20U)) return block;
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'blocksize': found {}, expected 1 to 2^20", block));
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 4, "[N, C, H, W]"));
  MORU_ASSIGN_OR_RETURN(const std::int64_t block, block_of(context.node()));
  SymbolicShape y(4);
  if (const SymbolicShape* x = ops::shape_of(context, 0)) {
    y[0] = (*x)[0];
    const Dim factors[] = {(*x)[1], Dim{block * block, {}}};
    MORU_ASSIGN_OR_RETURN(y[1], ops::product(factors));
    for (std::size_t axis = 2; axis < 4; ++axis) {
      if (!(*x)[axis].known()) continue;
      if ((*x)[axis].value % block != 0) {
        return ops::input_error(context, 0, fmt::format("found {} in axis {}, expected a multiple of {}", (*x)[axis].value, axis, block));
      }
      y[axis].value = (*x)[axis].value / block;
    }
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Dims& x = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const std::int64_t b, block_of(context.node));
  const std::int64_t dims[] = {x[0], x[1], x[2] / b, b, x[3] / b, b};
  const std::int64_t perm[] = {0, 3, 5, 1, 2, 4};
  ops::copy_permuted(context.input(0), dims, perm, context.outputs[0]);
  return {};
}

}  // namespace

extern const OpSpec kOp_space_to_depth;
const OpSpec kOp_space_to_depth{
    .name = "SpaceToDepth",
    .domain = "",
    .since = 1,
    .doc = "Blocks of pixels become channels: output[n, (i * b + j) * C + c, h, w] = input[n, c, h * b + i, w * b + j].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
