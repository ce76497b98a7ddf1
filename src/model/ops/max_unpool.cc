// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/window.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, spatial...]"},
                                {"I", "int64, as X: places in the flattened output, as MaxPool gives them"},
                                {"output_shape", "int64 [rank]; what MaxPool with the same attributes would have had, at least", true}};
constexpr PortSpec kOutputs[] = {{"output", "[N, C, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    {"kernel_shape", AttributeKind::kInts, "size of the window, one a spatial axis", true},
    {"pads", AttributeKind::kInts, "padding before each spatial axis, then after each; 0"},
    ops::kStrides,
};
constexpr OpExample kExamples[] = {{"Each element goes back to its place", R"(graph "max_unpool" {
  init x = float32[1, 1, 1, 2] {8, 6}
  init i = int64[1, 1, 1, 2] {4, 6}
  y = MaxUnpool(x, i) {kernel_shape = [2, 2], strides = [2, 2]}
  output y
})",
                                    "float32[1, 1, 2, 4] {0, 0, 0, 0, 8, 0, 6, 0}"}};
constexpr OpGap kGaps[] = {{"test_maxunpool_export_with_output_shape",
                            "its indices count in a smaller output than the one it asks for; ONNX corrected the case later"}};

/// Extents before pooling: (extent - 1) * stride + kernel - pads.
Result<SymbolicShape> unpooled(const Node& node, const SymbolicShape& x) {
  MORU_ASSIGN_OR_RETURN(const auto kernel, ops::required_kernel(node));
  MORU_ASSIGN_OR_RETURN(const auto window, ops::read_window(node, kernel));
  SymbolicShape y = x;
  for (std::size_t axis = 0; axis < window.rank(); ++axis) {
    Dim& dim = y[axis + 2];
    if (!dim.known()) {
      dim = {};
      continue;
    }
    dim.value = (dim.value - 1) * window.strides[axis] + window.kernel[axis] - window.pads_begin[axis] - window.pads_end[axis];
    if (dim.value < 1)
      return fail(ErrorCode::kInvalidArgument, fmt::format("spatial axis {}: found an output of {}, expected 1 or more", axis, dim.value));
  }
  return y;
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kReals));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kInt64}));
  const SymbolicShape* x = ops::shape_of(context, 0);
  MORU_ASSIGN_OR_RETURN(const auto kernel, ops::required_kernel(context.node()));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, kernel.size() + 2, "[N, C, spatial...] with an axis a number in kernel_shape"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, kernel.size() + 2, "as X"));
  for (std::size_t axis = 0; x != nullptr && axis < x->size(); ++axis)
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, axis, (*x)[axis], "an index an element of X"));
  MORU_ASSIGN_OR_RETURN(const auto wanted, ops::constant_ints(context, 2));
  ValueType type{context.input(0).dtype, std::nullopt};
  if (wanted) {
    if (wanted->size() != kernel.size() + 2)
      return ops::input_error(context, 2, fmt::format("found {} extents, expected {}", wanted->size(), kernel.size() + 2));
    type.shape.emplace();
    for (const std::int64_t extent : *wanted) {
      if (extent < 0) return ops::input_error(context, 2, fmt::format("found an extent of {}, expected 0 or more", extent));
      type.shape->push_back({extent, {}});
    }
  } else if (!context.has_input(2) && x != nullptr) {
    MORU_ASSIGN_OR_RETURN(type.shape, unpooled(context.node(), *x));
  }
  context.set_output(0, std::move(type));
  return {};
}

Status reference(EvalContext& context) {
  const auto places = context.input(1).data<std::int64_t>();
  return ops::for_float_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    const auto x = context.input(0).data<T>();
    const auto y = context.outputs[0].mutable_data<T>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (places[i] < 0 || places[i] >= std::ssize(y)) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("input 1 (I): found place {}, expected 0 to {}", places[i], std::ssize(y) - 1));
      }
      y[static_cast<std::size_t>(places[i])] = x[i];
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_max_unpool;
const OpSpec kOp_max_unpool{
    .name = "MaxUnpool",
    .domain = "",
    .since = 9,
    .doc =
        "Undoes MaxPool as far as it can: zeros, and each element of X [N, C, spatial...] at its place in the flattened "
        "output: output[I[i]] = X[i].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .gaps = kGaps};

}  // namespace moru::model
