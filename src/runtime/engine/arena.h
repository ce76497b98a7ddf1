// SPDX-License-Identifier: Apache-2.0
// Offsets in one piece of memory for buffers that live at different times.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace moru::runtime::engine {

/// A buffer and the steps that use it, first and last included.
struct Lifetime {
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
};

struct ArenaPlan {
  std::vector<std::size_t> offsets;  ///< one a lifetime, multiples of kAlignment
  std::size_t bytes = 0;
};

inline constexpr std::size_t kAlignment = 64;

/// Greedy (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020): one after the other into the lowest gap
/// that is free while it lives, the largest first, or those first that live when most is in use, whichever gives the smaller arena. Cost:
/// quadratic in the number of buffers.
ArenaPlan plan_arena(std::span<const Lifetime> lifetimes);

}  // namespace moru::runtime::engine
