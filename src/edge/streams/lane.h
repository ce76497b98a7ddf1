// SPDX-License-Identifier: Apache-2.0
// A thread of a running stream: a source or a stage with a queue in front of it, and the light stages that run behind it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "core/histogram.h"
#include "edge/streams/inbox.h"
#include "edge/streams/stream_node.h"
#include "edge/streams/tape_deck.h"

namespace moru::edge {

/// What the lanes of a stream share. Threads: all functions from any thread.
struct StreamShared {
  StreamShared(std::string stream_name, Clock& stream_clock) : name(std::move(stream_name)), clock(stream_clock) {}

  const std::string name;
  Clock& clock;  ///< the machine's
  StageContext context;
  StageContext source_context;  ///< the same, in the machine's time
  TapeDeck tape;
  Histogram latency;
  std::stop_source stop;

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::size_t running = 0;          // lanes
  std::size_t running_sources = 0;  ///< that still produce
  std::size_t running_stages = 0;   ///< lanes without a source
  std::size_t unprepared = 0;       // lanes
  bool draining = false;
  bool stopped_early = false;
  std::string failure;
  std::string last_error;

  void note_error(std::string message);
  /// Remembers the first failure; the rest of the stream goes on.
  void note_failure(const std::string& message);
  /// The same, and ends the sources.
  void fail_stream(const std::string& message);
  void prepared();
  /// Both: false when the stream is to stop instead.
  bool wait_until_prepared();
  bool wait_until(TimeNs deadline);
};

/// Which stages share a thread: of each stage the index of its lane, in the order of the stages. A stage runs on its inputs'
/// thread when it is light, all its inputs are on one, and the file asks for no queue between; with StreamSpec::one_lane all do.
std::vector<std::size_t> assign_lanes(const StreamSpec& spec);

class Lane {
 public:
  /// A link that comes from another lane, and by which input of which stage.
  struct Entry {
    Inbox::LinkOptions link;
    StreamNode* node;
    std::size_t input;
  };
  /// `nodes`: the head first, each after those it reads from; borrowed.
  Lane(StreamShared& shared, std::vector<StreamNode*> nodes, std::vector<Entry> entries);
  void start();
  void join();
  /// Stands in for a thread that never came to be.
  void abandon();
  bool started() const { return thread_.joinable(); }
  bool has_source() const { return head().is_source(); }
  Inbox& inbox() { return *inbox_; }
  /// Adds the rows of its links and stages, all of one moment.
  void add_rows(std::vector<wire::LinkLedger>& links, std::vector<StageCounts>& stages) const;

 private:
  StreamNode& head() const { return *nodes_.front(); }
  void run();
  void prepare();
  void run_source();
  Status produce(bool& at_end);
  bool pause_source(const Error& error, int failures);
  void run_stages();
  void run_tape();
  bool record(TapeKind kind, std::size_t source, Item& item);
  void handle(std::size_t link, std::vector<Element>& batch);
  void handle_one(std::size_t link, Element& element);
  void handle_end(std::size_t link);
  void settle_moment();
  void reopen_lost();
  bool source_is_idle();
  void flush();
  void advance_time();
  TimeNs next_due() const;
  void call_due();
  void publish();
  void close_stages();
  void close_source();
  void end();

  StreamShared& shared_;
  std::vector<StreamNode*> nodes_;
  std::vector<Entry> entries_;
  LaneLocal local_;
  mutable std::mutex mutex_;
  std::unique_ptr<Inbox> inbox_;  ///< null with a source
  bool source_open_;
  bool tape_full_ = false;
  std::uint64_t emitted_before_ = 0;  ///< by the source, when it was last seen to emit
  TimeNs active_at_ = 0;              ///< when that was; 0: not looked yet
  std::thread thread_;
};

}  // namespace moru::edge
