// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace moru::model::targets {

/// {a, b}: who chooses a must choose b.
using Implication = std::pair<std::int32_t, std::int32_t>;

/// Of all sets of items that keep the implications, one of the largest weight, and of those the smallest. By a minimum cut (Picard,
/// "Maximal closure of a graph", 1976), found with Dinitz's algorithm (1970). The sum of the weights' sizes must fit in 62 bits.
/// Cost: O(items^2 * implications) at worst; on graphs of models near linear.
std::vector<bool> heaviest_closure(std::span<const std::int64_t> weights, std::span<const Implication> implications);

}  // namespace moru::model::targets
