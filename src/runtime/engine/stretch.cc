// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/stretch.h"

#include "runtime/engine/copy.h"

namespace moru::runtime::engine {

model::Dims stretched_strides(const Stored& operand, const Stored& y) {
  model::Dims logical = logical_strides(operand);
  for (std::size_t i = 0; i < logical.size(); ++i) logical[i] = operand.dims[i] == 1 ? 0 : logical[i];
  logical.insert(logical.begin(), y.dims.size() - logical.size(), 0);
  if (y.layout == Layout::kChannelsLast) std::rotate(logical.begin() + 1, logical.begin() + 2, logical.end());
  return logical;
}

bool lies_as(const Stored& operand, const Stored& y) {
  if (operand.count() != y.count() || operand.element_bytes() != y.element_bytes()) return false;
  const model::Dims extents = y.physical_dims();
  const model::Dims strides = stretched_strides(operand, y);
  const model::Dims dense = dense_strides(extents);
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] != 1 && strides[i] != dense[i]) return false;
  }
  return true;
}

void may_overwrite(Lowering& lowering, std::span<const Stored> operands, const Stored& y) {
  for (const Stored& operand : operands) {
    // The same memory may come again in another order: a value and its transpose.
    const bool only_so =
        std::ranges::all_of(operands, [&](const Stored& other) { return other.buffer != operand.buffer || lies_as(other, y); });
    if (only_so) lowering.may_overwrite(operand.buffer, y.buffer);
  }
}

}  // namespace moru::runtime::engine
