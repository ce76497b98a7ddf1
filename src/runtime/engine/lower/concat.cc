// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/copy.h"
#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {
namespace {

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored first, lowering.input(node, 0));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), first.layout));
  MORU_ASSIGN_OR_RETURN(std::int64_t axis, model::int_attribute(node, "axis", 0));
  if (axis < 0) axis += static_cast<std::int64_t>(y.dims.size());
  const auto along = static_cast<std::size_t>(axis);
  const model::Dims y_strides = logical_strides(y);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, i, y.layout));
    // Logical axes in the order they lie in, so that runs are found.
    Copy copy{.dims = x.physical_dims(), .from_strides = dense_strides(x.physical_dims()), .to_strides = dense_strides(y.physical_dims())};
    copy.to_offset = offset * y_strides[along];
    const std::size_t bytes = x.count() * x.element_bytes();
    lowering.add(make_copy(x.buffer, y.buffer, copy, x.element_bytes()), {x.buffer, y.buffer}, Traffic{.read = bytes, .written = bytes});
    offset += x.dims[along];
  }
  return {};
}

}  // namespace

extern const LowerSpec kLower_concat;
const LowerSpec kLower_concat{.name = "Concat", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
