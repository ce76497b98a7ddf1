// SPDX-License-Identifier: Apache-2.0
// A benchmark as a page: one file, no script, nothing loaded from elsewhere.
#pragma once

#include <string>
#include <vector>

#include "runtime/benchmark/benchmark.h"
#include "runtime/measure/machine.h"

namespace moru::runtime {

struct PageFacts {
  Machine machine;
  std::string version;  ///< of moru
  std::string when;     ///< "2026-11-23T17:35:00Z"
  std::string how;      ///< "at least 30 runs and 1 s each, seed 1"
};

/// Of each model a plot of p50 with p99 as whiskers, lines where threads or batches were swept, and the table of all figures.
std::string to_page(const std::vector<BenchmarkRow>& rows, const PageFacts& facts);

}  // namespace moru::runtime
