// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "model/ops/support/pool.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, spatial...]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, spatial...]"},
                                 {"Indices", "int64, as Y: where in the flattened X each element stood (-1: in the padding)", true}};
constexpr AttributeSpec kAttributes[] = {
    ops::kAutoPad,
    {"ceil_mode", AttributeKind::kInt, "1: a last window that is only partly inside counts too; 0"},
    {"dilations", AttributeKind::kInts, "distance of the window's taps, one a spatial axis; 1"},
    {"kernel_shape", AttributeKind::kInts, "size of the window, one a spatial axis", true},
    {"pads", AttributeKind::kInts, "padding before each spatial axis, then after each; 0"},
    {"storage_order", AttributeKind::kInt, "0: indices count the last axis fastest; 1: the first spatial axis; 0"},
    ops::kStrides,
};
constexpr OpExample kExamples[] = {{"2x2 windows side by side", R"(graph "max_pool" {
  init x = float32[1, 1, 2, 4] {1, 2, 3, 4, 8, 7, 6, 5}
  y = MaxPool(x) {kernel_shape = [2, 2], strides = [2, 2]}
  output y
})",
                                    "float32[1, 1, 1, 2] {8, 6}"},
                                   {"And where they stood", R"(graph "indices" {
  init x = uint8[1, 1, 2, 4] {1, 2, 3, 4, 8, 7, 6, 5}
  y, i = MaxPool(x) {kernel_shape = [2, 2], strides = [2, 2]}
  output y
  output i
})",
                                    "uint8[1, 1, 1, 2] {8, 6}\nint64[1, 1, 1, 2] {4, 6}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(
      ops::infer_pool(context, {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16, DType::kInt8, DType::kUInt8}));
  context.set_output(1, {DType::kInt64, context.outputs()[0].shape});
  return {};
}

/// Where the element at `offset` of a plane stands when the plane lies column by column (the last axis slowest).
std::int64_t column_offset(std::int64_t offset, std::span<const std::int64_t> dims) {
  std::int64_t stride = ops::product_of(dims);
  std::int64_t moved = 0;
  for (std::size_t axis = dims.size(); axis-- > 0; offset /= dims[axis]) {
    stride /= dims[axis];
    moved += offset % dims[axis] * stride;
  }
  return moved;
}

template <class T>
Status pool(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t columns_first, int_attribute(context.node, "storage_order", 0));
  const auto spatial = std::span(context.input(0).dims()).subspan(2);
  const auto x = context.input(0).data<T>();
  const auto y = context.outputs[0].mutable_data<T>();
  const auto indices = context.outputs.size() > 1 ? context.outputs[1].mutable_data<std::int64_t>() : std::span<std::int64_t>();
  return ops::visit_pool(context, [&](std::int64_t plane, std::int64_t at, std::span<const std::int64_t> inside, std::int64_t) {
    // A window wholly in the padding has no element: the lowest number, which is what the padding stands for.
    std::int64_t best = -1;
    for (const std::int64_t offset : inside) {
      if (best < 0 || static_cast<ops::Compute<T>>(x[static_cast<std::size_t>(plane + best)]) <
                          static_cast<ops::Compute<T>>(x[static_cast<std::size_t>(plane + offset)]))
        best = offset;
    }
    y[static_cast<std::size_t>(at)] =
        best < 0 ? static_cast<T>(std::numeric_limits<ops::Compute<T>>::lowest()) : x[static_cast<std::size_t>(plane + best)];
    if (indices.empty()) return;
    const std::int64_t inner = best < 0 || columns_first == 0 ? best : column_offset(best, spatial);
    indices[static_cast<std::size_t>(at)] = best < 0 ? -1 : plane + inner;
  });
}

Status reference(EvalContext& context) {
  const DType dtype = context.input(0).dtype();
  if (dtype == DType::kInt8) return pool<std::int8_t>(context);
  if (dtype == DType::kUInt8) return pool<std::uint8_t>(context);
  return ops::for_float_dtype(dtype, [&]<class T>() { return pool<T>(context); });
}

}  // namespace

extern const OpSpec kOp_max_pool;
const OpSpec kOp_max_pool{.name = "MaxPool",
                          .domain = "",
                          .since = 1,
                          .doc =
                              "The largest element in each window; padding never wins. X [N, C, spatial...] -> Y [N, C, spatial...]: "
                              "Y[n, c, p] = max over k of X[n, c, p * stride - pad + k * dilation].",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attributes = kAttributes,
                          .infer = infer,
                          .reference = reference,
                          .examples = kExamples};

}  // namespace moru::model
