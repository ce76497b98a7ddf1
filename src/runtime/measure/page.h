// SPDX-License-Identifier: Apache-2.0
// The frame of a page of measurements: one file, no script, nothing loaded from elsewhere.
#pragma once

#include <string>
#include <string_view>

#include "runtime/measure/machine.h"

namespace moru::runtime {

struct PageFacts {
  Machine machine;
  std::string version;  ///< of moru
  std::string when;     ///< "2026-11-23T17:35:00Z"
  std::string how;      ///< "at least 30 runs and 1 s each, seed 1"
};

/// All up to the first heading of level 2: the title, the machine, and how it was measured. Tables stand in <div class="wide">, plots in
/// a <div> each in <div class="plots">.
std::string start_page(std::string_view title, const PageFacts& facts);
std::string end_page(std::string_view remark);

}  // namespace moru::runtime
