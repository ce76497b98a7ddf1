// SPDX-License-Identifier: Apache-2.0
// One stage of a running stream: what it hands its items to, how far time has come for it, and its counts.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "edge/streams/inbox.h"
#include "edge/streams/stage.h"
#include "edge/streams/stream.h"
#include "edge/streams/stream_watch.h"

namespace moru::edge {

/// What the nodes of one lane share. Threads: the lane's.
struct LaneLocal {
  Clock* clock = nullptr;
  TimeNs now = 0;             ///< monotonic; read once for a batch, 0: not yet
  TimeNs wall = 0;            ///< the same of the wall clock
  std::vector<TimeNs> ended;  ///< Item::emitted of those that a sink has taken since the last publish
  NestedTime nested;          ///< of watched stages
  std::string error;          ///< the last failure of an item; empty: none since the last publish
  TimeNs steady_now() {
    if (now == 0) now = clock->steady_now();
    return now;
  }
  TimeNs wall_now() {
    if (wall == 0) wall = clock->wall_now();
    return wall;
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
    std::unique_ptr<LinkTaps> taps = nullptr;  ///< null: nobody may ask for any
  };
  struct Counts {
    std::uint64_t consumed = 0;
    std::uint64_t emitted = 0;
    std::uint64_t used = 0;
    std::uint64_t held = 0;
    std::uint64_t overdue = 0;
    std::vector<std::pair<std::string, std::uint64_t>> dropped;
    std::vector<std::uint64_t> passed;  ///< by each target, in their order
    std::string stale;                  ///< since when it failed, why; empty: it does not
  };

  explicit StreamNode(StreamSpec::StageEntry entry);
  StreamNode(const StreamNode&) = delete;
  StreamNode& operator=(const StreamNode&) = delete;
  ~StreamNode() override;
  const StreamSpec::StageEntry& entry() const { return entry_; }
  bool is_source() const { return entry_.spec->kind == StageKind::kSource; }
  bool is_sink() const { return entry_.spec->kind == StageKind::kSink; }
  /// A sink that is given many items at once, and then asked to store them.
  bool gathers() const { return is_sink() && stage_->gathers(); }

  /// Makes the stage from its options and binds it to what its inputs have.
  Status create(std::span<const Schema> inputs);
  const std::vector<Schema>& schemas() const { return schemas_; }
  void join_lane(LaneLocal& lane) { lane_ = &lane; }
  Status open(const StageContext& context);
  Status close();

  /// Handles one item that came by `input` and counts what became of it.
  void process(std::size_t input, Item&& item);
  /// When the stage wants to be called although nothing comes.
  TimeNs due() const { return stage_ && refusal_.empty() && reopen_at_ == 0 ? stage_->due() : kNeverDue; }
  void on_due();
  /// How long the call at hand has taken, of a stage with a deadline. From any thread.
  TimeNs busy_for(TimeNs now) const;
  /// Lets a sink that gathers store what it holds; an error makes it stale.
  void flush();
  /// Nothing will become of what it holds, nor of what still comes.
  void give_up(std::string_view reason);
  bool gave_up() const { return gave_up_; }
  /// The same for elements that are all items, together.
  void process_batch(std::size_t input, std::span<Element> elements);
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
  void reject(std::string_view reason, const Item& item) override;
  void reject(std::string_view reason, std::string_view raw) override;
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
  /// Of a source that acknowledges; else null.
  ReceiptBook* receipts() const { return receipts_.get(); }
  std::vector<Target>& targets() { return targets_; }
  const std::vector<Target>& targets() const { return targets_; }
  void set_watch(std::unique_ptr<StageWatch> watch) { watch_ = std::move(watch); }
  /// Null: nobody asked. From any thread.
  const StageWatch* watch() const { return watch_.get(); }
  /// Counts an item that was taken but not processed; its sender must send it again.
  void refuse(const Item& item, std::string_view reason);
  /// Its items come from a recording: nobody waits for an answer.
  void forget_receipts() { receipts_.reset(); }
  /// Time matters to it or to a stage behind it.
  bool timed = false;

 private:
  void deliver(Target& target, Item&& item);
  void begin_call();
  void go_on();
  void leave();
  void end_call();
  void note_result(const Status& status);
  void pass_watermark(TimeNs time);
  void lose();
  void recovered();

  StreamSpec::StageEntry entry_;
  LaneLocal* lane_ = nullptr;
  std::unique_ptr<Stage> stage_;
  std::unique_ptr<SourceStage> source_;
  std::vector<Schema> schemas_;
  std::shared_ptr<ReceiptBook> receipts_;
  std::unique_ptr<StageWatch> watch_;
  Receipt current_;  ///< of the item that is being processed
  std::vector<Target> targets_;
  std::vector<TimeNs> watermarks_;  ///< of each input
  std::vector<bool> ended_;
  std::vector<bool> idle_;  ///< of each input: its time is not waited for
  bool idle_told_ = false;
  TimeNs watermark_;
  TimeNs latest_;  ///< the latest event time that was emitted
  Counts local_;
  std::uint64_t dropped_ = 0;  ///< all reasons together
  std::vector<Item> batch_;    ///< of process_batch()
  std::vector<Receipt> batch_receipts_;
  std::vector<Status> results_;
  Counts published_;
  std::string_view refusal_;
  bool gave_up_ = false;
  TimeNs reopen_at_ = 0;
  int losses_ = 0;                     ///< in a row
  std::atomic<TimeNs> busy_since_{0};  ///< less the time that it was not at work in this call; 0: it is not
  TimeNs spent_ = 0;
};

/// The pause before the n-th attempt (from 1) to open something again: 0.1 s, 0.2 s, ... at most 5 s.
TimeNs restart_pause(int attempt);

}  // namespace moru::edge
