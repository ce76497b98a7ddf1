// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/elements.h"

namespace moru::runtime::engine {
namespace {

template <class Bits>
Status lower_where(Lowering& lowering, const model::Node& node) {
  return lower_elements<Bits, std::uint8_t, Bits, Bits>(lowering, node,
                                                        [](std::uint8_t chosen, Bits x, Bits y) { return chosen != 0 ? x : y; });
}

/// Elements are moved, whatever they are.
Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const model::DType dtype, dtype_of(lowering, node, 1));
  switch (model::bits_of(dtype)) {
    case 8: return lower_where<std::uint8_t>(lowering, node);
    case 16: return lower_where<std::uint16_t>(lowering, node);
    case 32: return lower_where<std::uint32_t>(lowering, node);
    default: return lower_where<std::uint64_t>(lowering, node);
  }
}

}  // namespace

extern const LowerSpec kLower_where;
const LowerSpec kLower_where{.name = "Where", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
