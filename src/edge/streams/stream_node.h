// SPDX-License-Identifier: Apache-2.0
// One stage of a running stream: what it hands its items to, how far time has come for it, and its counts.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "edge/streams/inbox.h"
#include "edge/streams/stage.h"
#include "edge/streams/stream.h"

namespace moru::edge {

/// What the nodes of one lane share. Threads: the lane's.
struct LaneLocal {
  Clock* clock = nullptr;
  TimeNs now = 0;             ///< monotonic; read once for a batch, 0: not yet
  std::vector<TimeNs> ended;  ///< Item::emitted of those that a sink has taken since the last publish
  std::string error;          ///< the last failure of an item; empty: none since the last publish
  TimeNs steady_now() {
    if (now == 0) now = clock->steady_now();
    return now;
  }
};

/// Threads: all functions from the lane's own thread, but those that say otherwise.
class StreamNode final : public Output {
 public:
  /// A reader on the same lane is called; one on another lane gets batches through its inbox.
  struct Target {
    std::size_t port = 0;
    StreamNode* node = nullptr;
    std::size_t input = 0;   ///< of `node`
    Inbox* inbox = nullptr;  ///< null: on the same lane
    std::size_t link = 0;    ///< of `inbox`
    std::string name;        ///< "a->b", for the ledger of a link without a queue
    std::uint64_t passed = 0;
    std::vector<Element> batch;
  };
  struct Counts {
    std::uint64_t consumed = 0;
    std::uint64_t emitted = 0;
    std::uint64_t used = 0;
    std::uint64_t held = 0;
    std::vector<std::pair<std::string, std::uint64_t>> dropped;
    std::vector<std::uint64_t> passed;  ///< by each target, in their order
    std::string stale;                  ///< since when it failed, why; empty: it does not
  };

  explicit StreamNode(StreamSpec::StageEntry entry);
  const StreamSpec::StageEntry& entry() const { return entry_; }
  bool is_source() const { return entry_.spec->kind == StageKind::kSource; }
  bool is_sink() const { return entry_.spec->kind == StageKind::kSink; }

  /// Makes the stage from its options and binds it to what its inputs have.
  Status create(std::span<const Schema> inputs);
  const std::vector<Schema>& schemas() const { return schemas_; }
  void join_lane(LaneLocal& lane) { lane_ = &lane; }
  Status open(const StageContext& context);
  Status close();

  /// Handles one item that came by `input` and counts what became of it.
  void process(std::size_t input, Item&& item);
  /// The same for elements that are all items, together.
  void process_batch(std::size_t input, std::span<Element> elements);
  /// Counts an item that was taken but not processed.
  void refuse(std::string_view reason);
  void on_watermark(std::size_t input, TimeNs time);
  /// Nothing more comes by `input`; after the last one the stage finishes and tells its readers on the same lane.
  void on_end(std::size_t input);
  /// Hands every batch to the inbox of its reader; may wait there.
  void hand_on();
  void close_targets() const;
  /// True when the stage was lost and the pause before it is opened again has not passed.
  bool paused() const { return reopen_at_ != 0; }
  TimeNs reopen_at() const { return reopen_at_; }
  /// Opens it again; after a failure the next pause is longer.
  void try_reopen(const StageContext& context);
  void set_stale(std::string reason) { local_.stale = std::move(reason); }
  void set_refusal(std::string_view reason) { refusal_ = reason; }

  void emit(Item&& item) override { emit_to(0, std::move(item)); }
  void emit_to(std::size_t port, Item&& item) override;
  void drop(std::string_view reason) override;
  void used(std::uint64_t items) override { local_.used += items; }
  bool is_read(std::size_t port) const override;

  std::uint64_t emitted() const { return local_.emitted; }
  TimeNs latest() const { return latest_; }
  /// Makes the counts visible; the lane's lock is held.
  void publish();
  /// The lane's lock is held. From any thread.
  const Counts& published() const { return published_; }

  SourceStage& source() { return *source_; }
  const SourceStage* find_source() const { return source_.get(); }
  Stage& stage() { return *stage_; }
  const Stage* find_stage() const { return stage_.get(); }
  std::vector<Target>& targets() { return targets_; }
  const std::vector<Target>& targets() const { return targets_; }
  /// Time matters to it or to a stage behind it.
  bool timed = false;

 private:
  void deliver(Target& target, Item&& item);
  void note_result(const Status& status);
  void pass_watermark(TimeNs time);
  void lose();

  StreamSpec::StageEntry entry_;
  LaneLocal* lane_ = nullptr;
  std::unique_ptr<Stage> stage_;
  std::unique_ptr<SourceStage> source_;
  std::vector<Schema> schemas_;
  std::vector<Target> targets_;
  std::vector<TimeNs> watermarks_;  ///< of each input
  std::vector<bool> ended_;
  TimeNs watermark_;
  TimeNs latest_;  ///< the latest event time that was emitted
  Counts local_;
  std::uint64_t dropped_ = 0;  ///< all reasons together
  std::vector<Item> batch_;    ///< of process_batch()
  std::vector<Status> results_;
  Counts published_;
  std::string_view refusal_;
  TimeNs reopen_at_ = 0;
  int losses_ = 0;  ///< in a row
};

/// The pause before the n-th attempt (from 1) to open something again: 0.1 s, 0.2 s, ... at most 5 s.
TimeNs restart_pause(int attempt);

}  // namespace moru::edge
