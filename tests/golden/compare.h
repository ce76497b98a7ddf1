// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::golden {

/// Runs both graphs by reference implementations on the same seeded random inputs (floats normal, integers small; each
/// symbolic or unknown extent is 2) and compares their outputs, which must have the same names. float32: the normalised mean
/// square error, sum of (a - b)^2 over sum of a^2, must be at most `tolerance`. Other types: equal.
Status compare_graphs(const model::Graph& before, const model::Graph& after, std::uint64_t seed, double tolerance);

}  // namespace moru::golden
