// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/movement.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape"}, {"sizes", "[outputs], int32 or int64"}, {"axis", "int32, one element"}};
constexpr PortSpec kOutputs[] = {{"outputs", "the pieces"}};
constexpr AttributeSpec kAttributes[] = {{"num_splits", AttributeKind::kInt, "how many outputs"}};
constexpr OpExample kExamples[] = {{"One and the rest", R"(graph "split_v" {
  init x = float32[3] {1, 2, 3}
  init s = int32[2] {1, -1}
  init a = int32[] {0}
  y: float32[1], z: float32[2] = tflite::SPLIT_V(x, s, a) {num_splits = 2}
  output y
  output z
})",
                                    "float32[1] {1}\nfloat32[2] {2, 3}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(auto sizes, ops::constant_indices(context, 1));
  MORU_ASSIGN_OR_RETURN(const auto given, ops::constant_index(context, 2));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const std::size_t count = context.node().outputs.size();
  for (std::size_t i = 0; i < count; ++i) context.set_output(i, {context.input(0).dtype, std::nullopt});
  if (x == nullptr || !given || !sizes) return {};
  MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 2), const std::size_t axis, ops::normalize_axis(*given, x->size()));
  if (sizes->size() != count) return ops::input_error(context, 1, fmt::format("found {} sizes, expected {}", sizes->size(), count));
  std::int64_t left = (*x)[axis].known() ? (*x)[axis].value : -1;
  std::size_t open = count;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t size = (*sizes)[i];
    if (size < -1 || size > ops::kMaxExtent || (size == -1 && open != count))
      return ops::input_error(context, 1, fmt::format("found {} at {}, expected 0 or more, or one -1", size, i));
    if (size == -1) open = i;
    if (size != -1 && left >= 0) left -= size;
    if ((*x)[axis].known() && left < 0)
      return ops::input_error(context, 1, fmt::format("found more elements than {}, expected as many", (*x)[axis].value));
  }
  if ((*x)[axis].known() && open == count && left != 0)
    return ops::input_error(context, 1, fmt::format("found {} elements too few, expected all", left));
  for (std::size_t i = 0; i < count; ++i) {
    SymbolicShape y = *x;
    y[axis] = i == open ? (left >= 0 ? Dim{left, {}} : Dim{}) : Dim{(*sizes)[i], {}};
    context.set_output(i, {context.input(0).dtype, std::move(y)});
  }
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(ops::to_ints(context.input(2)).at(0), context.input(0).rank()));
  const Tensor& x = context.input(0);
  const auto strides = ops::strides_of(x.dims());
  std::int64_t start = 0;
  for (Tensor& y : context.outputs) {
    ops::copy_strided(x, start * strides[axis], strides, y.dims(), y);
    start += y.dims()[axis];
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_tflite_split_v;
const OpSpec kOp_tflite_split_v{.name = "SPLIT_V",
                                .domain = "tflite",
                                .since = 1,
                                .doc = "Pieces of given sizes along one axis; one size may be -1: what is left.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attributes = kAttributes,
                                .variadic_outputs = true,
                                .infer = infer,
                                .reference = reference,
                                .examples = kExamples};

}  // namespace moru::model
