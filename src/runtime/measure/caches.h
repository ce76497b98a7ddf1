// SPDX-License-Identifier: Apache-2.0
// The caches that a core reads data through.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/files.h"

namespace moru::runtime {

struct Cache {
  std::string name;  ///< "L1d", "L2"
  std::size_t bytes = 0;
};

/// The nearest first. `folder` is laid out as /sys/devices/system/cpu/cpu0/cache; what it does not tell, or tells in another form, is left
/// out, so that the list may be empty.
std::vector<Cache> read_caches(const Path& folder = "/sys/devices/system/cpu/cpu0/cache");

}  // namespace moru::runtime
