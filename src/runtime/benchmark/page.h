// SPDX-License-Identifier: Apache-2.0
// A benchmark as a page: one file, no script, nothing loaded from elsewhere.
#pragma once

#include <string>
#include <vector>

#include "runtime/benchmark/benchmark.h"
#include "runtime/measure/page.h"

namespace moru::runtime {

/// Of each model a plot of p50 with p99 as whiskers, lines where threads or batches were swept, and the table of all figures.
std::string to_page(const std::vector<BenchmarkRow>& rows, const PageFacts& facts);

}  // namespace moru::runtime
