// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "runtime/measure/page.h"
#include "runtime/measure/roofline.h"

namespace moru::runtime {

struct NamedRoofline {
  std::string model;
  Roofline roofline;
};

/// Of each model the classical plot (speed over products a byte, under the roofs of the machine), the steps that lose the most, and the
/// table of all.
std::string to_page(const std::vector<NamedRoofline>& models, const Peaks& peaks, const PageFacts& facts);

}  // namespace moru::runtime
