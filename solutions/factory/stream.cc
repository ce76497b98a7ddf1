// SPDX-License-Identifier: Apache-2.0
#include "solutions/factory/stream.h"

#include <fmt/format.h>

#include "edge/streams/stream.h"

namespace moru::factory {

/// stream.yaml of this folder (generated from the file).
extern const char* const kStreamYaml;

Result<std::string> stream_file(const StreamOptions& options) {
  return edge::fill_parameters(kStreamYaml,
                               {{"dataset", options.dataset.string()},
                                {"rate_hz", fmt::format("{}", options.rate_hz)},
                                {"swap_fraction", fmt::format("{}", options.swap_fraction)},
                                {"seed", std::to_string(options.seed)}},
                               "stream.yaml");
}

}  // namespace moru::factory
