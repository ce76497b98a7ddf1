// SPDX-License-Identifier: Apache-2.0
// What the ops of domain "moru" share: the integer arithmetic that docs/arithmetic.md defines. Their types are int8 and uint8.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/result.h"
#include "model/ops/op.h"
#include "model/ops/support/integers.h"

namespace moru::model::ops {

inline constexpr AttributeSpec kLowLevel = {"low", AttributeKind::kInt, "lowest level of the output; the type's"};
inline constexpr AttributeSpec kHighLevel = {"high", AttributeKind::kInt, "highest level of the output; the type's"};

/// How a real number of steps becomes a level of the output: clamp(round(steps) + zero, low, high).
struct Levels {
  std::int32_t zero = 0;
  std::int32_t low = 0;
  std::int32_t high = 0;

  /// Halves go to the even number; NaN is the zero point.
  template <class T>
  T nearest(float steps) const {
    const auto offset = static_cast<float>(zero);
    const float level = std::isnan(steps) ? offset : std::nearbyint(steps) + offset;
    return static_cast<T>(std::clamp(level, static_cast<float>(low), static_cast<float>(high)));
  }
};

/// 'low' and 'high' for an output of a type: within its range, low <= high.
Result<Levels> read_levels(const Node& node, DType dtype, std::int32_t zero);
/// The same for a node whose zero point of the output is input `zero`.
Result<Levels> levels_of(const EvalContext& context, std::size_t zero);

/// Input `x` is int8 or uint8, input `zero` a scalar of its type.
Status expect_levels(const InferContext& context, std::size_t x, std::size_t zero);
/// Input `index` is a float32 scalar.
Status expect_factor(const InferContext& context, std::size_t index);
/// Output 0 gets `shape` and the type of input `zero`, an int8 or uint8 scalar; checks 'low' and 'high'.
Status set_levels_output(InferContext& context, std::size_t zero, std::optional<SymbolicShape> shape);

}  // namespace moru::model::ops
