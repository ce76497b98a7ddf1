// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"perm", "[rank], int32"}};
constexpr PortSpec kOutputs[] = {{"output", "with permuted axes"}};
constexpr OpExample kExamples[] = {{"Columns become rows", R"(graph "transpose" {
  init x = float32[1, 2] {1, 2}
  init p = int32[2] {1, 0}
  y: float32[2, 1] = tflite::TRANSPOSE(x, p)
  output y
})",
                                    "float32[2, 1] {1, 2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const auto perm, ops::constant_indices(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  SymbolicShape y(x->size());
  if (perm) {
    if (perm->size() != x->size()) return ops::input_error(context, 1, fmt::format("found {} axes, expected {}", perm->size(), x->size()));
    MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 1), const auto axes, ops::normalize_axes(*perm, x->size()));
    for (std::size_t i = 0; i < axes.size(); ++i) y[i] = (*x)[axes[i]];
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  std::vector<std::int64_t> perm = ops::to_ints(context.input(1));
  for (std::int64_t& axis : perm) axis += axis < 0 ? static_cast<std::int64_t>(x.rank()) : 0;
  ops::copy_permuted(x, x.dims(), perm, context.outputs[0]);
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_transpose;
const OpSpec kOp_tflite_transpose{.name = "TRANSPOSE",
                                  .domain = "tflite",
                                  .since = 1,
                                  .doc = "The axes in another order: extent i of the output is extent perm[i] of the input.",
                                  .inputs = kInputs,
                                  .outputs = kOutputs,
                                  .attributes = {},
                                  .infer = infer,
                                  .reference = reference,
                                  .examples = kExamples};

}  // namespace moru::model
