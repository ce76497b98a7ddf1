// SPDX-License-Identifier: Apache-2.0
// Declared streams (kind: Stream): source -> stages -> sinks, joined by bounded queues, with a ledger for each link.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/result.h"
#include "edge/streams/dead_letters.h"
#include "edge/streams/stage.h"
#include "edge/streams/stream_watch.h"
#include "wire/messages.h"

namespace moru::edge {

struct TapeDeck;

/// What a full queue does: makes the writer wait; throws away the oldest item; keeps one item in two, four, ... so that what is
/// left stands evenly for the whole time; goes on on disk.
enum class OverflowPolicy : std::uint8_t { kBlock, kDropOldest, kSample, kSpill };

/// Who shares a thread: as the file says (lane.h); all stages on one, behind the sources' own; or everything on one.
enum class LanePlan : std::uint8_t { kByFile, kOneForStages, kOne };

struct StreamSpec {
  /// What an input is in full. A link without a queue of its own may join two stages on one thread.
  struct Link {
    std::size_t from = 0;              ///< index of the stage
    std::size_t port = 0;              ///< of its outputs
    std::optional<std::size_t> queue;  ///< items, where the file says so
    OverflowPolicy overflow = OverflowPolicy::kBlock;
    std::string spill_folder = {};  ///< empty: one in StageContext::state
    std::uint64_t spill_bytes = std::uint64_t{256} << 20U;
  };
  struct StageEntry {
    std::string name;   ///< unique in the stream; also the field's name in messages
    std::string stage;  ///< of all_stages()
    const StageSpec* spec;
    ConfigObject options;
    std::vector<std::string> inputs;  ///< what it reads from, "NAME" or "NAME.PORT"; empty for a source
    std::vector<Link> links;          ///< the same, one each
    TimeNs lateness = 0;              ///< of a source: how much older than the latest an item may come
    TimeNs max_ahead = 0;             ///< of a source: how far after the clock's an item's time may be; 0: any time
    TimeNs idle = 0;                  ///< of a source: when it has sent nothing so long, no stage waits for its time; 0: never
    TimeNs deadline = 0;              ///< of the others: longest time for an item; 0: none
    std::optional<DeadLetterOptions> dead_letters = std::nullopt;  ///< of its own; else those of the stream
    ConfigObject at;                                               ///< where it stands in the file
  };
  std::string name;
  std::vector<StageEntry> stages;  ///< in the order of the file; checked: names known, no cycle, one source at least
  std::vector<std::size_t> order;  ///< the indices of the stages, each after those it reads from
  std::optional<DeadLetterOptions> dead_letters = std::nullopt;  ///< of all stages; none: rejected items are only counted
  LanePlan lanes = LanePlan::kByFile;
};

/// Reads and checks a stream file; everything that can be wrong is found here, each mistake on a line of its own with
/// file and line: fields, stage names, their options, inputs, cycles.
Result<StreamSpec> read_stream(const ConfigObject& document, std::span<const StageSpec* const> table = all_stages());

/// What the items of each stage's output ports have, in the order of the stages; found by making each stage and binding it.
Result<std::vector<std::vector<Schema>>> bind_stages(const StreamSpec& spec);

/// Makes the stage and binds it: the schemas of its output ports, one each.
Result<std::vector<Schema>> bind_stage(const StreamSpec::StageEntry& entry, std::span<const Schema> inputs);

/// Puts values where `text` has `${name}`. A value is put in as a number when it is one, else as a quoted YAML text, so
/// nothing in it can change the file's structure. A name without a value, or a value that no place asks for, is an error.
Result<std::string> fill_parameters(std::string_view text, const std::map<std::string, std::string>& values, std::string_view where);

/// What one stage did with its items. Links and stages are counted apart: a link holds items between stages.
struct StageCounts {
  std::string name;
  std::uint64_t consumed = 0;                                  ///< taken from its inputs (0 for a source)
  std::uint64_t emitted = 0;                                   ///< handed on, once per item however many read it
  std::uint64_t used = 0;                                      ///< consumed, and now in what was emitted, or written
  std::uint64_t held = 0;                                      ///< consumed, and still in the stage
  std::vector<std::pair<std::string, std::uint64_t>> dropped;  ///< reason -> count; "error: ..." when process() failed
  std::uint64_t unsettled = 0;                                 ///< of an acknowledging source: emitted, and their end not known yet
  std::uint64_t overdue = 0;                                   ///< calls that took longer than the stage's deadline_ms
  TimeNs busy_for = 0;                                         ///< how long the call at hand has taken, of a stage with a deadline
  std::string stale;                                           ///< what it failed with, while it waits to be opened again
  bool holds = false;                                          ///< StageSpec::holds, or a sink
  std::uint64_t dropped_total() const;
  /// Every item that was consumed has met one end. True in every snapshot (a source: always).
  bool balanced() const { return consumed == 0 || consumed == (holds ? used + held : emitted) + dropped_total(); }
};

struct StreamState {
  /// "running", "overdue: ..." (a stage has not come back within its deadline), "stale: ..." (a stage or source waits to be opened
  /// again), "waiting for a release", "draining", "finished"
  /// (everything has passed all stages), "stopped", "failed: ..."
  std::string state;
  std::uint64_t items = 0;   ///< emitted by the sources
  std::uint64_t missed = 0;  ///< items that were due and that a source could never hand on
  double items_per_second = 0.0;
  std::int64_t latency_p50_ns = 0;  ///< source to the end of the last sink
  std::int64_t latency_p99_ns = 0;
  /// One a link and one a stage. All of one thread are of one moment and fit each other; when the stream stands still all do.
  std::vector<wire::LinkLedger> ledger;
  std::vector<StageCounts> stages;
  std::string last_error;
  std::uint64_t dead_letters = 0;       ///< rejected items that were written to a file
  std::uint64_t dead_letters_lost = 0;  ///< those that could not be, or went with an old file
};

/// How long a stage takes, and how old items are when it begins with them, in ns. Borrowed of the stream.
struct StageHistograms {
  std::string stage;
  const Histogram* busy;
  const Histogram* age;
};

/// A running stream: a thread for each source and each stage that is not light, parked when idle. Threads: all functions from
/// any thread.
class Stream {
 public:
  /// Opens every stage and starts. The sources begin when every stage is prepared. Errors: those of the stages' open().
  static Result<std::unique_ptr<Stream>> start(const StreamSpec& spec, StageContext context);
  /// The same, recorded or from a recording (tape_deck.h).
  static Result<std::unique_ptr<Stream>> start(const StreamSpec& spec, StageContext context, TapeDeck tape);
  virtual ~Stream() = default;  ///< stops and joins
  virtual StreamState state() const = 0;
  virtual void drain_at(std::uint64_t items) = 0;
  /// Ends the sources, lets everything in flight pass, closes all stages. An item in a stage that waits for something
  /// from outside is dropped("stopped") and counted there; its sender is not told that it is stored. What queues have on disk stays
  /// there for the next run.
  virtual void stop() = 0;
  /// From when an item was due at its source to the end of a sink, in ns. Borrowed.
  virtual const Histogram& latency() const = 0;
  /// Of the stages that are no sources, where StreamWatch::times asked for it; else none.
  virtual std::vector<StageHistograms> histograms() const = 0;
  /// Copies of the items that go by a link ("a->b") from now on. Errors: kNotFound names the nearest link; kUnsupported where
  /// StreamWatch::taps did not ask for it.
  virtual Result<std::shared_ptr<LinkTap>> tap(std::string_view link) = 0;
  /// Nothing runs any more: it has finished, was stopped or has failed.
  virtual bool finished() const = 0;
};

}  // namespace moru::edge
