// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, H, W, C]"}};
constexpr PortSpec kOutputs[] = {{"output", "[N, H * B, W * B, C]"}};
constexpr AttributeSpec kAttributes[] = {{"block_size", AttributeKind::kInt, "extent of a block along H and W"}};
constexpr OpExample kExamples[] = {{"One block", R"(graph "depth_to_space" {
  init x = float32[1, 1, 1, 4] {1, 2, 3, 4}
  y: float32[1, 2, 2, 1] = tflite::DEPTH_TO_SPACE(x) {block_size = 2}
  output y
})",
                                    "float32[1, 2, 2, 1] {1, 2, 3, 4}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 4, "[N, H, W, C]"));
  MORU_ASSIGN_OR_RETURN(const std::int64_t size, tflite_ops::option_in(context.node(), "block_size", 1, 1, 1 << 10));
  SymbolicShape y(4);
  if (const SymbolicShape* x = ops::shape_of(context, 0)) {
    y[0] = (*x)[0];
    MORU_ASSIGN_OR_RETURN(y[1], ops::product(std::array{(*x)[1], Dim{size, {}}}));
    MORU_ASSIGN_OR_RETURN(y[2], ops::product(std::array{(*x)[2], Dim{size, {}}}));
    if ((*x)[3].known()) {
      if ((*x)[3].value % (size * size) != 0)
        return ops::input_error(context, 0, fmt::format("found {} channels, expected a multiple of {}", (*x)[3].value, size * size));
      y[3] = Dim{(*x)[3].value / (size * size), {}};
    }
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t size, int_attribute(context.node, "block_size", 1));
  const Dims& x = context.input(0).dims();
  ops::copy_permuted(context.input(0), Dims{x[0], x[1], x[2], size, size, x[3] / (size * size)}, Dims{0, 1, 3, 2, 4, 5},
                     context.outputs[0]);
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_depth_to_space;
const OpSpec kOp_tflite_depth_to_space{.name = "DEPTH_TO_SPACE",
                                       .domain = "tflite",
                                       .since = 1,
                                       .doc = "Channels become blocks of B x B elements. [N, H, W, B * B * C] -> [N, H * B, W * B, C].",
                                       .inputs = kInputs,
                                       .outputs = kOutputs,
                                       .attributes = kAttributes,
                                       .infer = infer,
                                       .reference = reference,
                                       .examples = kExamples};

}  // namespace moru::model
