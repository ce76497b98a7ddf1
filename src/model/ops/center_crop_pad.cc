// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input_data", "any type and shape"}, {"shape", "int32 or int64 [axes], the extents that are wanted"}};
constexpr PortSpec kOutputs[] = {{"output_data", "input_data with those extents"}};
constexpr AttributeSpec kAttributes[] = {{"axes", AttributeKind::kInts, "the axes that shape is about; all"}};
constexpr OpExample kExamples[] = {{"Cut on one axis, padded on the other", R"(graph "center_crop_pad" {
  init x = int8[3, 2] {1, 2, 3, 4, 5, 6}
  init shape = int64[2] {1, 4}
  y = CenterCropPad(x, shape)
  output y
})",
                                    "int8[1, 4] {0, 3, 4, 0}"}};

Result<std::vector<std::size_t>> axes_of(const Node& node, std::size_t rank) {
  MORU_ASSIGN_OR_RETURN(const auto axes, ints_attribute(node, "axes", ops::all_axes(rank)));
  return ops::normalize_axes(axes, rank);
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const auto wanted, ops::constant_indices(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr) {
    context.set_output(0, {context.input(0).dtype, std::nullopt});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(const auto axes, axes_of(context.node(), x->size()));
  if (wanted) {
    MORU_RETURN_IF_ERROR(ops::check_extents(*wanted, ops::input_label(context, 1)));
    if (wanted->size() != axes.size()) {
      return ops::input_error(context, 1, fmt::format("found {} extents, expected {}, one an axis", wanted->size(), axes.size()));
    }
  }
  SymbolicShape y = *x;
  for (std::size_t i = 0; i < axes.size(); ++i) y[axes[i]] = wanted ? Dim{(*wanted)[i], {}} : Dim{};
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  // What must go or come is halved, rounded down in front.
  std::vector<std::int64_t> shift;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t missing = y.dims()[axis] - x.dims()[axis];
    shift.push_back(missing >= 0 ? -(missing / 2) : -missing / 2);
  }
  const auto strides = ops::strides_of(x.dims());
  ops::gather_elements(x, y, [&](std::span<const std::int64_t> index) {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
      const std::int64_t at = index[axis] + shift[axis];
      if (at < 0 || at >= x.dims()[axis]) return std::int64_t{-1};
      offset += at * strides[axis];
    }
    return offset;
  });
  return {};
}

}  // namespace

extern const OpSpec kOp_center_crop_pad;
const OpSpec kOp_center_crop_pad{
    .name = "CenterCropPad",
    .domain = "",
    .since = 18,
    .doc =
        "The middle of a tensor, or the tensor in the middle of zeros: on each axis what is too much is cut off, and "
        "what is missing is added, evenly on both sides.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
