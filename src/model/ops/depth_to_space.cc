// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, C, H, W] of any type"}};
constexpr PortSpec kOutputs[] = {{"output", "[N, C / b^2, H * b, W * b] with b = blocksize"}};
constexpr AttributeSpec kAttributes[] = {
    {"blocksize", AttributeKind::kInt, "rows and columns of a block", true},
    {"mode", AttributeKind::kString, "DCR: a channel is (row, column, depth); CRD: (depth, row, column); DCR"}};
constexpr OpExample kExamples[] = {{"Four channels become a block", R"(graph "depth_to_space" {
  init x = float32[1, 4, 1, 2] {1, 2, 3, 4, 5, 6, 7, 8}
  y = DepthToSpace(x) {blocksize = 2}
  output y
})",
                                    "float32[1, 1, 2, 4] {1, 3, 2, 4, 5, 7, 6, 8}"}};

Result<std::int64_t> block_of(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t block, int_attribute(node, "blocksize", 0));
  if (block >= 1 && block < (std::int64_t{1} << 20U)) return block;
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'blocksize': found {}, expected 1 to 2^20", block));
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 4, "[N, C, H, W]"));
  MORU_ASSIGN_OR_RETURN(const std::int64_t block, block_of(context.node()));
  MORU_ASSIGN_OR_RETURN(const std::string mode, string_attribute(context.node(), "mode", "DCR"));
  if (mode != "DCR" && mode != "CRD") {
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'mode': found '{:.40}', expected DCR or CRD", mode));
  }
  SymbolicShape y(4);
  if (const SymbolicShape* x = ops::shape_of(context, 0)) {
    if ((*x)[1].known() && (*x)[1].value % (block * block) != 0) {
      return ops::input_error(context, 0, fmt::format("found {} channels, expected a multiple of {}", (*x)[1].value, block * block));
    }
    y[0] = (*x)[0];
    if ((*x)[1].known()) y[1].value = (*x)[1].value / (block * block);
    for (std::size_t axis = 2; axis < 4; ++axis) {
      const Dim factors[] = {(*x)[axis], Dim{block, {}}};
      MORU_ASSIGN_OR_RETURN(y[axis], ops::product(factors));
    }
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Dims& x = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const std::int64_t b, block_of(context.node));
  MORU_ASSIGN_OR_RETURN(const std::string mode, string_attribute(context.node, "mode", "DCR"));
  const std::int64_t depth = x[1] / (b * b);
  if (mode == "DCR") {
    const std::int64_t dims[] = {x[0], b, b, depth, x[2], x[3]};
    const std::int64_t perm[] = {0, 3, 4, 1, 5, 2};
    ops::copy_permuted(context.input(0), dims, perm, context.outputs[0]);
  } else {
    const std::int64_t dims[] = {x[0], depth, b, b, x[2], x[3]};
    const std::int64_t perm[] = {0, 1, 4, 2, 5, 3};
    ops::copy_permuted(context.input(0), dims, perm, context.outputs[0]);
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_depth_to_space;
const OpSpec kOp_depth_to_space{
    .name = "DepthToSpace",
    .domain = "",
    .since = 1,
    .doc =
        "Channels become blocks of pixels: output[n, c, h * b + i, w * b + j] = input[n, (i * b + j) * C / b^2 + c, "
        "h, w] in mode DCR, input[n, c * b^2 + i * b + j, h, w] in mode CRD.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
