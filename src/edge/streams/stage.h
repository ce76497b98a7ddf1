// SPDX-License-Identifier: Apache-2.0
// What a stage of a stream is. One file a stage; CMake makes the table from the file names in edge/streams/stages and
// solutions/*/stages (threshold.cc defines kStage_threshold).
//
// Life cycle: create (options from the stream file, checked with line numbers; no side effects) -> bind (what the items of its
// inputs have) -> open -> prepare -> process for each item, watermark as event time goes on -> finish -> close. All on one
// thread at a time, but not always the same one: no thread-local state.
// Tensors of an item may be shared with other items and stages: read them, and set() new ones instead of changing them.
//
// Receipts: where a source can wait, its sender is told that an item is stored only when every copy of Item::receipt has been let
// go of. A stage that passes items on, or emits others in process(), has nothing to do: they take the receipt along. One that
// keeps what it read for later (a window) keeps the receipt with it (Receipt::add) and gives it to the item that it then emits. A
// sink whose receiver answers later keeps `std::move(item.receipt)` until the answer, and lets go of it then: from any thread.
// What is lost for a reason that passes (no receiver, the stream stops) is revoked first; the runtime does that for an error of
// that kind and for kCancelled.
#pragma once

#include <array>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/files.h"
#include "core/result.h"
#include "edge/streams/item.h"
#include "edge/streams/schema.h"

namespace moru::edge {

/// Something that outlives a run of the stream and that stages share with their host: a model slot, an outbox.
class Resource {
 public:
  virtual ~Resource() = default;
};

/// What a stage may use of its host. Borrowed: lives longer than the stage.
struct StageContext {
  Clock* clock = nullptr;
  std::map<std::string, std::shared_ptr<Resource>> resources;  ///< "model/line", "outbox"
  std::string stream;                                          ///< the stream's name
  Path state = {};                                             ///< a folder for what is to outlive the run; empty: there is none
  std::stop_token stop;  ///< asked for when the stream must stop: whoever waits in prepare() or process() gives up (kCancelled)

  /// The resource of that name as T; null when there is none or it is something else.
  template <class T>
  std::shared_ptr<T> resource(const std::string& name) const {
    const auto it = resources.find(name);
    return it == resources.end() ? nullptr : std::dynamic_pointer_cast<T>(it->second);
  }
};

/// Where a stage's items go. Every item that a stage has consumed meets one end, and the stage says which:
///   consumed = emitted + dropped           of a stage that passes items on (StageSpec::holds is false)
///   consumed = used + dropped + held       of one that makes new items out of them, or that writes them
class Output {
 public:
  virtual ~Output() = default;
  /// Passes an item on by the first port, to all that read it.
  virtual void emit(Item&& item) = 0;
  /// The same by another port of StageSpec::outputs.
  virtual void emit_to(std::size_t port, Item&& item) {
    static_cast<void>(port);
    emit(std::move(item));
  }
  /// Says why an item goes no further: "filtered", "no model". `reason` must be one of few (it names a counter).
  virtual void drop(std::string_view reason) = 0;
  /// The same for an item that is refused for what is in it: it goes to the dead letters, where the stream keeps these. Within process()
  /// of a stage that does not hold items, drop() does that, too.
  virtual void reject(std::string_view reason, const Item& item) {
    static_cast<void>(item);
    drop(reason);
  }
  /// The same for bytes of which no item could be made.
  virtual void reject(std::string_view reason, std::string_view raw) {
    static_cast<void>(raw);
    drop(reason);
  }
  /// So many items have done what they came for: their values are in what was emitted, or they are written.
  virtual void used(std::uint64_t items) { static_cast<void>(items); }
  /// Whether somebody reads that port. An item for a port that nobody reads is dropped("not read").
  virtual bool is_read(std::size_t port) const { return port == 0; }
};

/// For a stage that is done with an item when it has dropped it.
inline Status drop(Output& output, std::string_view reason) {
  output.drop(reason);
  return {};
}

/// Errors that may go away by themselves (core/result.h says which).
bool may_pass(ErrorCode code);

inline constexpr TimeNs kNeverDue = std::numeric_limits<TimeNs>::max();

class Stage {
 public:
  virtual ~Stage() = default;
  /// Told once, after create: what the items of its inputs have. Checks that what the options name is there, and says what the
  /// items of each output port will have. The default knows nothing of its output.
  virtual Result<std::vector<Schema>> bind(std::span<const Schema> inputs) {
    static_cast<void>(inputs);
    return std::vector<Schema>{Schema{.fields = {}, .open = true}};
  }
  /// Gets what the stage needs; must not wait. An error fails the start of the stream.
  virtual Status open(const StageContext& context) = 0;
  /// Called once before the source's first item; may wait for what has to come from outside (a model) until context.stop.
  virtual Status prepare() { return {}; }
  /// Handles one item. An error fails this item only: it is dropped(error), counted, and its message kept for the state.
  virtual Status process(Item&& item, Output& output) = 0;
  /// The same for who must know by which of its inputs (their order in the file) it came.
  virtual Status process_from(std::size_t input, Item&& item, Output& output) {
    static_cast<void>(input);
    return process(std::move(item), output);
  }
  /// Of a sink: it keeps what comes, up to some hundred items that wait, until flush(). Does not change.
  virtual bool gathers() const { return false; }
  /// All that was waiting has been processed. Asked of a sink that gathers, so that it stores what it has in one go. An error: the rest
  /// stays held, the stage is marked stale, closed, opened again after a pause and asked again, for as long as it takes; its items wait in
  /// front of it meanwhile.
  virtual Status flush(Output& output) {
    static_cast<void>(output);
    return {};
  }
  /// Of one that is quicker with several items at once: how many it takes where they wait in its queue, and, where some have come but not
  /// so many, how long it waits for more. An item that comes alone is not kept waiting.
  virtual std::size_t largest_batch() const { return 1; }
  virtual TimeNs batch_wait() const { return 0; }
  /// Handles several items, in order, as process_from() would one after the other; `results` has a place for each. Not of a sink.
  virtual void process_batch(std::size_t input, std::span<Item> items, Output& output, std::span<Status> results) {
    for (std::size_t i = 0; i < items.size(); ++i) results[i] = process_from(input, std::move(items[i]), output);
  }
  /// Event time has come to `time` on every input: nothing older is expected. Told only where StageSpec::timed is set.
  virtual void watermark(TimeNs time, Output& output) {
    static_cast<void>(time);
    static_cast<void>(output);
  }
  /// When it wants to be called although nothing comes (monotonic): a batch is to go out, an answer to be looked at. Asked after each
  /// call of the others.
  virtual TimeNs due() const { return kNeverDue; }
  /// That time has come.
  virtual void on_due(Output& output) { static_cast<void>(output); }
  /// Every input has ended: what is held must go now.
  virtual void finish(Output& output) { static_cast<void>(output); }
  /// Items that it has consumed and whose end is not met yet (StageSpec::holds).
  virtual std::uint64_t held() const { return 0; }
  /// What the stage stands on is gone, a connection say. Asked after an item has failed; true: the stage is marked stale, closed,
  /// and opened again after a pause.
  virtual bool lost() const { return false; }
  /// What has not been stored by now is lost: its receipts are revoked and let go of.
  virtual Status close() { return {}; }
  /// What prepare() or process() waits for at the moment ("a release"); empty: nothing. From any thread.
  virtual std::string waiting_for() const { return {}; }
};

/// A source has no input: produce() is called in a loop and emits; it returns false when it is at its end. It waits on
/// its own (with context.clock), at most 50 ms a call, so that stop and drain are seen. An error that a retry can help
/// (kUnavailable, kIo, kDeadlineExceeded, kResourceExhausted) marks it stale; it is closed, opened again after a pause, and goes
/// on where it was, for as long as it takes. Any other error ends it.
class SourceStage {
 public:
  virtual ~SourceStage() = default;
  /// What its items have; checks what create() could not. The default knows nothing.
  virtual Result<Schema> bind() { return Schema{.fields = {}, .open = true}; }
  /// How far event time has come: nothing older will be emitted. The default: not known, what has been emitted says it.
  virtual std::optional<TimeNs> watermark() const { return std::nullopt; }
  virtual Status open(const StageContext& context) = 0;
  virtual Result<bool> produce(Output& output) = 0;
  /// The source ends once it has emitted this many items in all. From any thread.
  virtual void drain_at(std::uint64_t items) = 0;
  /// Items whose time had come and that were never emitted, because they could not be handed on. From any thread.
  virtual std::uint64_t missed() const { return 0; }
  /// Where StageSpec::acknowledges is set: whether it does so with the options that it has.
  virtual bool acknowledges() const { return true; }
  /// The same: the item of that sequence number (each once) has met its end, and its sender is to be
  /// told that it is stored, or must send it again. From any thread: notes it and returns; it must not wait, nor take a
  /// lock that the source holds while it emits.
  virtual void settle(std::uint64_t sequence, Outcome outcome) {
    static_cast<void>(sequence);
    static_cast<void>(outcome);
  }
  /// The same: called in a loop after the last produce() while items are on their way, and once when all have come home, for the
  /// answers to go out before close(). At most 50 ms a call.
  virtual Status acknowledge() { return {}; }
  virtual Status close() { return {}; }
};

/// A sink ends a stream: it emits nothing.
enum class StageKind : std::uint8_t { kSource, kStage, kSink };
std::string_view to_string(StageKind kind);

inline constexpr std::array<std::string_view, 1> kOneOutput = {"out"};

struct StageSpec {
  std::string_view name;  ///< "infer"
  StageKind kind;
  std::string_view doc;      ///< what it does; fields it reads and writes, with types, shapes and units
  std::string_view example;  ///< a complete stream file that uses it; checked and, where nothing is needed for it, run by the tests
  /// Exactly one of the two is set. Both check every option (ConfigReader) and name the nearest known field.
  Result<std::unique_ptr<Stage>> (*create)(const ConfigObject& options) = nullptr;
  Result<std::unique_ptr<SourceStage>> (*create_source)(const ConfigObject& options) = nullptr;
  /// It never waits and takes little time (microseconds), so it may run on its input's thread, without a queue between.
  bool light = false;
  /// Event time matters to it: watermark() is called.
  bool timed = false;
  /// What it consumes goes into other items, or ends here: see Output.
  bool holds = false;
  /// Its inputs differ for it: bind() is given a schema for each. Else it is given one, of what all of them have.
  bool tells_inputs = false;
  /// A source that tells its sender when an item is stored: settle() is called for each. Its sequence numbers differ.
  bool acknowledges = false;
  /// How many inputs it takes.
  std::size_t min_inputs = 1;
  std::size_t max_inputs = 64;
  /// Its output ports, the usual one first; others are read as NAME.PORT.
  std::span<const std::string_view> outputs = kOneOutput;
  /// What must be there for its example to run, that a machine may not have: "a CAN interface". The test of all examples then checks
  /// this one without running it; the stage's own test runs it against a server of its own (run_example).
  std::string_view needs = {};
};

std::span<const StageSpec* const> all_stages();
const StageSpec* find_stage(std::string_view name);

}  // namespace moru::edge
