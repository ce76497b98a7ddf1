// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, H, W, C]"}};
constexpr PortSpec kOutputs[] = {{"output", "[N, H / B, W / B, B * B * C]"}};
constexpr AttributeSpec kAttributes[] = {{"block_size", AttributeKind::kInt, "extent of a block along H and W"}};
constexpr OpExample kExamples[] = {{"One block", R"(graph "space_to_depth" {
  init x = float32[1, 2, 2, 1] {1, 2, 3, 4}
  y: float32[1, 1, 1, 4] = tflite::SPACE_TO_DEPTH(x) {block_size = 2}
  output y
})",
                                    "float32[1, 1, 1, 4] {1, 2, 3, 4}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 4, "[N, H, W, C]"));
  MORU_ASSIGN_OR_RETURN(const std::int64_t size, tflite_ops::option_in(context.node(), "block_size", 1, 1, 1 << 10));
  SymbolicShape y(4);
  if (const SymbolicShape* x = ops::shape_of(context, 0)) {
    y[0] = (*x)[0];
    for (const std::size_t axis : {std::size_t{1}, std::size_t{2}}) {
      if (!(*x)[axis].known()) continue;
      if ((*x)[axis].value % size != 0)
        return ops::input_error(context, 0, fmt::format("found extent {}, expected a multiple of {}", (*x)[axis].value, size));
      y[axis] = Dim{(*x)[axis].value / size, {}};
    }
    MORU_ASSIGN_OR_RETURN(y[3], ops::product(std::array{(*x)[3], Dim{size * size, {}}}));
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t size, int_attribute(context.node, "block_size", 1));
  const Dims& y = context.outputs[0].dims();
  const std::int64_t c = context.input(0).dims()[3];
  ops::copy_permuted(context.input(0), Dims{y[0], y[1], size, y[2], size, c}, Dims{0, 1, 3, 2, 4, 5}, context.outputs[0]);
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_space_to_depth;
const OpSpec kOp_tflite_space_to_depth{.name = "SPACE_TO_DEPTH",
                                       .domain = "tflite",
                                       .since = 1,
                                       .doc = "Blocks of B x B elements become channels. [N, H, W, C] -> [N, H / B, W / B, B * B * C].",
                                       .inputs = kInputs,
                                       .outputs = kOutputs,
                                       .attributes = kAttributes,
                                       .infer = infer,
                                       .reference = reference,
                                       .examples = kExamples};

}  // namespace moru::model
