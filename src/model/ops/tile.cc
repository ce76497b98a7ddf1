// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"
#include "model/ops/support/rewrite.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any type and shape"}, {"repeats", "int64 [rank], how often on each axis"}};
constexpr PortSpec kOutputs[] = {{"output", "extent times repeats on each axis"}};
constexpr OpExample kExamples[] = {{"Twice to the right", R"(graph "tile" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init repeats = int64[2] {1, 2}
  y = Tile(x, repeats)
  output y
})",
                                    "float32[2, 4] {1, 2, 1, 2, 3, 4, 3, 4}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  const SymbolicShape* x = ops::shape_of(context, 0);
  MORU_ASSIGN_OR_RETURN(const auto repeats, ops::constant_ints(context, 1));
  if (x == nullptr) {
    context.set_output(0, {context.input(0).dtype, std::nullopt});
    return {};
  }
  SymbolicShape y(x->size());
  if (repeats) {
    if (repeats->size() != x->size()) {
      return ops::input_error(context, 1, fmt::format("found {} numbers, expected {}, one an axis", repeats->size(), x->size()));
    }
    MORU_RETURN_IF_ERROR(ops::check_extents(*repeats, ops::input_label(context, 1)));
    for (std::size_t axis = 0; axis < y.size(); ++axis) {
      const Dim factors[] = {(*x)[axis], Dim{(*repeats)[axis], {}}};
      MORU_ASSIGN_OR_RETURN(y[axis], ops::product(factors));
    }
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  const auto strides = ops::strides_of(x.dims());
  ops::gather_elements(x, context.outputs[0], [&](std::span<const std::int64_t> index) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) offset += index[axis] % x.dims()[axis] * strides[axis];
    return offset;
  });
  return {};
}

/// The number that a constant input of one element is: opset 1 gave counts and axes as floats too.
Result<std::int64_t> single_number(const NodeRewrite& rewrite, std::size_t index, std::string_view name) {
  const Tensor* tensor = ops::constant_of(rewrite, index);
  if (tensor == nullptr || tensor->count() != 1) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("input {} ({}): found one that is computed, or not one number, expected a constant number", index, name));
  }
  std::int64_t number = -1;
  MORU_RETURN_IF_ERROR(ops::for_number_dtype(tensor->dtype(), [&]<class T>() -> Status {
    const auto value = static_cast<double>(static_cast<ops::Compute<T>>(tensor->data<T>()[0]));
    if (!(std::abs(value) <= static_cast<double>(ops::kMaxExtent)) || value != std::floor(value)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("input {} ({}): found {}, expected a whole number", index, name, value));
    }
    number = static_cast<std::int64_t>(value);
    return {};
  }));
  return number;
}

/// Opset 1 repeated one axis: Tile(input, tiles, axis).
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 6) return {};
  MORU_ASSIGN_OR_RETURN(const std::int64_t tiles, single_number(rewrite, 1, "tiles"));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, single_number(rewrite, 2, "axis"));
  const SymbolicShape* x = ops::shape_of(rewrite, 0);
  if (x == nullptr) return fail(ErrorCode::kUnsupported, "input 0 (input): found an unknown rank, expected a known one");
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, x->size()));
  std::vector<std::int64_t> repeats(x->size(), 1);
  repeats[axis] = tiles;
  ops::set_input(rewrite, 2, kNoValue);
  ops::set_input(rewrite, 1, ops::add_ints(rewrite, "repeats", repeats));
  return {};
}

}  // namespace

extern const OpSpec kOp_tile;
const OpSpec kOp_tile{.name = "Tile",
                      .domain = "",
                      .since = 1,
                      .doc =
                          "A tensor again and again. input [d0, ..., dn] -> output [d0 * repeats[0], ..., dn * repeats[n]]: "
                          "output[i0, ..., in] = input[i0 mod d0, ..., in mod dn].",
                      .inputs = kInputs,
                      .outputs = kOutputs,
                      .attributes = {},
                      .infer = infer,
                      .reference = reference,
                      .examples = kExamples,
                      .upgrade = upgrade};

}  // namespace moru::model
