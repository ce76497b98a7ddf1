// SPDX-License-Identifier: Apache-2.0
// Seeded sizes and numbers for the tests of kernels.
#pragma once

#include <cstddef>
#include <random>

namespace moru::kernels {

using Rng = std::mt19937;

inline int between(Rng& rng, int low, int high) { return std::uniform_int_distribution<int>(low, high)(rng); }

inline std::size_t size(std::ptrdiff_t count) { return static_cast<std::size_t>(count); }

}  // namespace moru::kernels
