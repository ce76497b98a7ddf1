// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"multiples", "[rank], int32 or int64"}};
constexpr PortSpec kOutputs[] = {{"output", "extents times multiples"}};
constexpr OpExample kExamples[] = {{"Twice", R"(graph "tile" {
  init x = float32[2] {1, 2}
  init m = int32[1] {2}
  y: float32[4] = tflite::TILE(x, m)
  output y
})",
                                    "float32[4] {1, 2, 1, 2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const auto multiples, ops::constant_indices(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr) return {};
  SymbolicShape y(x->size());
  for (std::size_t axis = 0; multiples && axis < x->size(); ++axis) {
    if (multiples->size() != x->size())
      return ops::input_error(context, 1, fmt::format("found {} numbers, expected {}", multiples->size(), x->size()));
    const std::int64_t multiple = (*multiples)[axis];
    if (multiple < 0 || multiple > ops::kMaxExtent)
      return ops::input_error(context, 1, fmt::format("found {} at {}, expected 0 or more", multiple, axis));
    MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 1), y[axis], ops::product(std::array{(*x)[axis], Dim{multiple, {}}}));
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  const auto strides = ops::strides_of(x.dims());
  ops::gather_elements(x, context.outputs[0], [&](std::span<const std::int64_t> index) {
    std::int64_t from = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) from += index[axis] % x.dims()[axis] * strides[axis];
    return from;
  });
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_tile;
const OpSpec kOp_tflite_tile{.name = "TILE",
                             .domain = "tflite",
                             .since = 1,
                             .doc = "The input repeated along each axis.",
                             .inputs = kInputs,
                             .outputs = kOutputs,
                             .attributes = {},
                             .infer = infer,
                             .reference = reference,
                             .examples = kExamples};

}  // namespace moru::model
