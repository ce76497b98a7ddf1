// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"begin", "[rank], int32 or int64"}, {"size", "[rank], int32 or int64"}};
constexpr PortSpec kOutputs[] = {{"output", "the block"}};
constexpr OpExample kExamples[] = {{"The last two", R"(graph "slice" {
  init x = float32[3] {1, 2, 3}
  init b = int32[1] {1}
  init s = int32[1] {-1}
  y: float32[2] = tflite::SLICE(x, b, s)
  output y
})",
                                    "float32[2] {2, 3}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const auto begin, ops::constant_indices(context, 1));
  MORU_ASSIGN_OR_RETURN(const auto size, ops::constant_indices(context, 2));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  SymbolicShape y(x->size());
  for (std::size_t axis = 0; begin && size && axis < x->size(); ++axis) {
    if (begin->size() != x->size() || size->size() != x->size())
      return ops::input_error(context, 1, fmt::format("found {} and {} numbers, expected {}", begin->size(), size->size(), x->size()));
    const std::int64_t from = (*begin)[axis];
    const std::int64_t count = (*size)[axis];
    const Dim& extent = (*x)[axis];
    if (from < 0 || count < -1 || from > ops::kMaxExtent || count > ops::kMaxExtent ||
        (extent.known() && (from > extent.value || (count != -1 && from + count > extent.value))))
      return ops::input_error(context, 1,
                              fmt::format("axis {}: found {} elements from {}, expected a block of {}", axis, count, from, to_string(*x)));
    if (count != -1) y[axis] = Dim{count, {}};
    if (count == -1 && extent.known()) y[axis] = Dim{extent.value - from, {}};
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const auto begin = ops::to_ints(context.input(1));
  const auto strides = ops::strides_of(context.input(0).dims());
  std::int64_t start = 0;
  for (std::size_t axis = 0; axis < begin.size(); ++axis) start += begin[axis] * strides[axis];
  ops::copy_strided(context.input(0), start, strides, context.outputs[0].dims(), context.outputs[0]);
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_slice;
const OpSpec kOp_tflite_slice{.name = "SLICE",
                              .domain = "tflite",
                              .since = 1,
                              .doc = "A block: output[i] = input[begin + i], size elements along each axis; -1 is all that are left.",
                              .inputs = kInputs,
                              .outputs = kOutputs,
                              .attributes = {},
                              .infer = infer,
                              .reference = reference,
                              .examples = kExamples};

}  // namespace moru::model
