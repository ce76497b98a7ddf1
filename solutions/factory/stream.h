// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "core/files.h"
#include "core/result.h"

namespace moru::factory {

struct StreamOptions {
  Path dataset;                 ///< folder of the IDX files; the test part is replayed
  double rate_hz = 200.0;       ///< items per second, in real time
  double swap_fraction = 0.02;  ///< share of the items that are not what their order says
  std::uint64_t seed = 1;
};

/// The factory line as a stream file (kind: Stream): stream.yaml of this folder with its parameters filled in.
Result<std::string> stream_file(const StreamOptions& options);

}  // namespace moru::factory
