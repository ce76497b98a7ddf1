// SPDX-License-Identifier: Apache-2.0
// What a stage of a stream is. One file a stage; CMake makes the table from the file names in edge/streams/stages and
// solutions/*/stages (threshold.cc defines kStage_threshold).
//
// Life cycle: create (options from the stream file, checked with line numbers; no side effects) -> open -> prepare ->
// process for each item -> close. All on one thread at a time, but not always the same one: no thread-local state.
// Tensors of an item may be shared with other items and stages: read them, and set() new ones instead of changing them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/config.h"
#include "core/result.h"
#include "edge/streams/item.h"

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
  std::stop_token stop;  ///< asked for when the stream must stop: whoever waits in prepare() or process() gives up (kCancelled)

  /// The resource of that name as T; null when there is none or it is something else.
  template <class T>
  std::shared_ptr<T> resource(const std::string& name) const {
    const auto it = resources.find(name);
    return it == resources.end() ? nullptr : std::dynamic_pointer_cast<T>(it->second);
  }
};

/// Passes an item on to the next stage. Called any number of times from process(); what is not passed on is counted as
/// consumed with the reason given to drop().
class Output {
 public:
  virtual ~Output() = default;
  virtual void emit(Item item) = 0;
  /// Says why an item goes no further: "filtered", "no model". `reason` must be one of few (it names a counter).
  virtual void drop(std::string_view reason) = 0;
};

class Stage {
 public:
  virtual ~Stage() = default;
  /// Gets what the stage needs; must not wait. An error fails the start of the stream.
  virtual Status open(const StageContext& context) = 0;
  /// Called once before the source's first item; may wait for what has to come from outside (a model) until context.stop.
  virtual Status prepare() { return {}; }
  /// Handles one item. An error fails this item only: it is dropped(error), counted, and its message kept for the state.
  virtual Status process(Item item, Output& output) = 0;
  virtual Status close() { return {}; }
  /// What prepare() or process() waits for at the moment ("a release"); empty: nothing. From any thread.
  virtual std::string waiting_for() const { return {}; }
};

/// A source has no input: produce() is called in a loop and emits; it returns false when it is at its end. It waits on
/// its own (with context.clock), at most 50 ms a call, so that stop and drain are seen. After an error it is closed,
/// opened again after a pause, and goes on where it was.
class SourceStage {
 public:
  virtual ~SourceStage() = default;
  virtual Status open(const StageContext& context) = 0;
  virtual Result<bool> produce(Output& output) = 0;
  /// The source ends once it has emitted this many items in all. From any thread.
  virtual void drain_at(std::uint64_t items) = 0;
  /// Items whose time had come and that were never emitted, because they could not be handed on. From any thread.
  virtual std::uint64_t missed() const { return 0; }
  virtual Status close() { return {}; }
};

/// A sink ends a stream: it emits nothing.
enum class StageKind : std::uint8_t { kSource, kStage, kSink };
std::string_view to_string(StageKind kind);

struct StageSpec {
  std::string_view name;  ///< "infer"
  StageKind kind;
  std::string_view doc;      ///< what it does; fields it reads and writes, with types, shapes and units
  std::string_view example;  ///< a complete stream file that uses it; checked and run by the tests
  /// Exactly one of the two is set. Both check every option (ConfigReader) and name the nearest known field.
  Result<std::unique_ptr<Stage>> (*create)(const ConfigObject& options) = nullptr;
  Result<std::unique_ptr<SourceStage>> (*create_source)(const ConfigObject& options) = nullptr;
};

std::span<const StageSpec* const> all_stages();
const StageSpec* find_stage(std::string_view name);

}  // namespace moru::edge
