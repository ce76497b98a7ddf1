// SPDX-License-Identifier: Apache-2.0
// One stage of a running stream, with its inbox, the inboxes it writes to, and its counts.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/histogram.h"
#include "edge/streams/inbox.h"
#include "edge/streams/stage.h"
#include "edge/streams/stream.h"

namespace moru::edge {

/// Threads: process() and what it calls from the node's own thread; counts() from any thread.
class StreamNode final : public Output {
 public:
  struct Target {
    Inbox* inbox;
    std::size_t link;
  };

  StreamNode(StreamSpec::StageEntry entry, Clock& clock, Histogram& latency) : entry_(std::move(entry)), clock_(clock), latency_(latency) {}

  const StreamSpec::StageEntry& entry() const { return entry_; }
  bool is_source() const { return entry_.spec->kind == StageKind::kSource; }

  /// Makes the stage from its options.
  Status create();
  /// Opens whichever of the two it is.
  Status open(const StageContext& context);
  Status close();
  /// Handles one item and counts what became of it; the message of a failure, or "".
  std::string process(Item item);
  /// Counts an item that was taken but not processed.
  void refuse(std::string_view reason);

  void emit(Item item) override;
  void drop(std::string_view reason) override;
  /// Tells every reader that nothing more comes.
  void close_targets();

  StageCounts counts() const;
  std::uint64_t emitted() const;
  SourceStage& source() { return *source_; }
  Stage& stage() { return *stage_; }
  const SourceStage* find_source() const { return source_.get(); }
  const Stage* find_stage() const { return stage_.get(); }

  std::unique_ptr<Inbox> inbox;  ///< null for a source
  std::vector<Target> targets;
  std::thread thread;

 private:
  StreamSpec::StageEntry entry_;
  Clock& clock_;
  Histogram& latency_;
  std::unique_ptr<Stage> stage_;
  std::unique_ptr<SourceStage> source_;
  mutable std::mutex mutex_;
  std::uint64_t consumed_ = 0;
  std::uint64_t emitted_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> dropped_;
};

}  // namespace moru::edge
