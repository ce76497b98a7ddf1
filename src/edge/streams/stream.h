// SPDX-License-Identifier: Apache-2.0
// Declared streams (kind: Stream): source -> stages -> sinks, joined by bounded queues, with a ledger for each link.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "edge/streams/stage.h"
#include "wire/messages.h"

namespace moru::edge {

enum class OverflowPolicy : std::uint8_t { kBlock, kDropOldest };

struct StreamSpec {
  struct StageEntry {
    std::string name;   ///< unique in the stream; also the field's name in messages
    std::string stage;  ///< of all_stages()
    ConfigObject options;
    std::vector<std::string> inputs;  ///< names of the stages it reads from; empty for the source
    std::int64_t queue = 64;          ///< items its input queue holds
    OverflowPolicy overflow = OverflowPolicy::kBlock;
  };
  std::string name;
  std::vector<StageEntry> stages;  ///< in the order of the file; checked: names known, no cycle, one source at least
};

/// Reads and checks a stream file; everything that can be wrong is found here, with its line.
Result<StreamSpec> read_stream(const ConfigObject& document);

struct StreamState {
  std::string state;  ///< "running", "draining", "finished", "failed: ..."
  std::uint64_t items = 0;
  std::uint64_t missed = 0;  ///< items whose time had come but that the source could not emit in time (queue full beyond its schedule)
  double items_per_second = 0.0;
  std::int64_t latency_p50_ns = 0;  ///< source to the end of the last sink
  std::int64_t latency_p99_ns = 0;
  std::vector<wire::LinkLedger> ledger;
  std::string last_error;
};

/// A running stream: one thread a stage, parked when idle. Threads: all functions from any thread.
class Stream {
 public:
  static Result<std::unique_ptr<Stream>> start(StreamSpec spec, StageContext context);
  virtual ~Stream() = default;  ///< stops and joins
  virtual StreamState state() const = 0;
  virtual void drain_at(std::uint64_t items) = 0;
  /// Ends the source, lets everything in flight pass, closes all stages.
  virtual void stop() = 0;
  virtual bool finished() const = 0;
};

}  // namespace moru::edge
