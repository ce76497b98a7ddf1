// SPDX-License-Identifier: Apache-2.0
// What an entry of a stream file says of its queues and of time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "edge/streams/stream.h"

namespace moru::edge {

using Mistakes = std::vector<std::string>;

/// "FILE:LINE: FOUND, expected EXPECTED"
std::string mistake(const ConfigObject& at, std::string_view found, std::string_view expected);

/// How a link is held: what the stage says for all its inputs, and what one of them says for itself.
struct QueueOptions {
  std::int64_t queue = 0;  ///< 0: not said
  std::string overflow;
  std::optional<ConfigObject> spill;
  void read(ConfigReader& reader);
};

/// `inputs: [NAME, NAME.PORT, {from: NAME, queue: 8, overflow: sample}]`
Status read_inputs(const std::optional<ConfigObject>& inputs, const QueueOptions& common, StreamSpec::StageEntry& entry);

/// Three for sources, one for the others.
struct TimeOptions {
  double lateness_ms = 0.0;
  double max_ahead_ms = 0.0;
  double idle_ms = 0.0;
  double deadline_ms = 0.0;
  void read(ConfigReader& reader);
  void put_into(StreamSpec::StageEntry& entry) const;
};

/// Each of them stands where it has a meaning.
void check_times(const StreamSpec::StageEntry& entry, Mistakes& mistakes);

}  // namespace moru::edge
