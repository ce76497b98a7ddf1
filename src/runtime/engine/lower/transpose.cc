// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "runtime/engine/copy.h"
#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {
namespace {

/// The axes of a tensor in the order they lie in, without those of extent 1, whose place does not matter.
std::vector<std::size_t> lying_axes(const model::Dims& dims, Layout layout) {
  std::vector<std::size_t> axes;
  for (std::size_t i = 0; i < dims.size(); ++i) axes.push_back(i);
  if (layout == Layout::kChannelsLast) std::rotate(axes.begin() + 1, axes.begin() + 2, axes.end());
  std::erase_if(axes, [&](std::size_t axis) { return dims[axis] == 1; });
  return axes;
}

/// The layout in which the output lies exactly as the input does, if there is one.
std::optional<Layout> same_order(const Stored& x, const model::Dims& y, std::span<const std::int64_t> perm) {
  const auto from = lying_axes(x.dims, x.layout);
  for (const Layout layout : {Layout::kPlain, Layout::kChannelsLast}) {
    if (layout == Layout::kChannelsLast && y.size() < 3) continue;
    auto to = lying_axes(y, layout);
    for (std::size_t& axis : to) axis = static_cast<std::size_t>(perm[axis]);
    if (to == from) return layout;
  }
  return std::nullopt;
}

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0));
  std::vector<std::int64_t> reversed;
  for (std::size_t i = x.dims.size(); i-- > 0;) reversed.push_back(static_cast<std::int64_t>(i));
  MORU_ASSIGN_OR_RETURN(const auto perm, model::ints_attribute(node, "perm", reversed));
  MORU_ASSIGN_OR_RETURN(const model::Dims y_dims, lowering.dims(node.outputs.front()));
  if (const auto layout = same_order(x, y_dims, perm)) {
    lowering.alias(node.outputs.front(), {x.buffer, x.dtype, y_dims, *layout});
    return {};
  }
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  const model::Dims x_strides = logical_strides(x);
  Copy copy{.dims = y.dims, .from_strides = {}, .to_strides = dense_strides(y.dims)};
  for (const std::int64_t axis : perm) copy.from_strides.push_back(x_strides[static_cast<std::size_t>(axis)]);
  lowering.add(make_copy(x.buffer, y.buffer, copy, x.element_bytes()), {x.buffer, y.buffer});
  return {};
}

}  // namespace

extern const LowerSpec kLower_transpose;
const LowerSpec kLower_transpose{.name = "Transpose", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
