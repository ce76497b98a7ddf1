// SPDX-License-Identifier: Apache-2.0
// Values as lines along an axis: [outer, extent, inner], plain.
#pragma once

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

struct LineShape {
  std::size_t outer = 1;
  std::size_t extent = 1;
  std::size_t inner = 1;
};

/// Along the attribute "axis" of a node on a value of `dims`.
Result<LineShape> read_lines(const model::Node& node, const model::Dims& dims, std::int64_t usual_axis);

/// Calls f(line) for each, where it begins.
template <class F>
void for_each_line(const LineShape& shape, F f) {
  for (std::size_t i = 0; i < shape.outer; ++i) {
    for (std::size_t j = 0; j < shape.inner; ++j) f(i * shape.extent * shape.inner + j);
  }
}

enum class Extreme : std::uint8_t { kLargest, kSmallest };
/// Lowers ArgMax or ArgMin.
Status lower_arg(Lowering& lowering, const model::Node& node, Extreme extreme);

}  // namespace moru::runtime::engine
