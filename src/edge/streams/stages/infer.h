// SPDX-License-Identifier: Apache-2.0
// The infer stage's control surface: the agent puts models in and takes statistics out while the stream runs.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "core/histogram.h"
#include "core/result.h"
#include "edge/streams/stage.h"
#include "model/formats/bundle/model_card.h"
#include "runtime/backends/backend.h"
#include "wire/messages.h"

namespace moru::edge {

/// What the integers of a port stand for: real = scale * (stored - zero point).
struct Levels {
  float scale = 1.0F;
  std::int64_t zero_point = 0;
};

/// A model that is loaded, warmed up and ready. One user at a time.
struct LoadedModel {
  std::int64_t release = 0;
  model::ModelCard card;
  std::unique_ptr<runtime::Session> session;
  std::optional<Levels> input_levels = std::nullopt;  ///< of a port of integers, where the file says it
  std::optional<Levels> output_levels = std::nullopt;
  std::int64_t prepared_batch = 1;  ///< batches of 1, 2, 4, ... up to this are planned
};

/// A stage that runs the models of a slot, as it hears of one beforehand.
class ModelReader {
 public:
  virtual ~ModelReader() = default;
  /// The model is about to be put in, and nobody runs it yet: what it takes to plan it and to make memory for it is spent here, and not
  /// when the first item waits. On the thread of whoever puts it in.
  virtual Status get_ready(const std::shared_ptr<LoadedModel>& model) = 0;
};

struct InferenceStats {
  std::uint64_t items = 0;
  std::uint64_t errors = 0;
  std::uint64_t labelled = 0;
  std::uint64_t right = 0;  ///< arg max equals the item's reference class
  std::int64_t p99_ns = 0;
};

/// Where the model of a stream sits. swap() takes effect at an item's boundary: no item is missed and none is run by
/// half of each model. Threads: all functions from any thread; the stage takes what it needs for each item.
class ModelSlot final : public Resource {
 public:
  /// Puts a model in as the current one (null: none); the old one is returned, kept warm for a return.
  std::shared_ptr<LoadedModel> swap(std::shared_ptr<LoadedModel> model);
  /// Runs `candidate` beside the current model on the same items from now on (null: ends it), without deciding
  /// anything; its statistics begin at zero. It runs after the item has been passed on, so alerts are not delayed.
  void set_shadow(std::shared_ptr<LoadedModel> candidate);
  wire::ShadowStats shadow_stats() const;
  /// Of the current model since it was swapped in.
  InferenceStats stats() const;
  bool has_model() const;

  /// For the stage: as long as it lives it hears of models that are put in from now on.
  void add_reader(std::weak_ptr<ModelReader> reader);
  struct Taken {
    std::shared_ptr<LoadedModel> current;
    std::shared_ptr<LoadedModel> shadow;
  };
  Taken take() const;
  /// take(), once there is a current model; without one when a stop is asked for first.
  Taken wait(const std::stop_token& stop) const;
  /// What does not belong to the current model (or candidate) any more is not counted.
  void count(const std::shared_ptr<LoadedModel>& model, bool ok, bool labelled, bool right, TimeNs duration);
  struct ShadowResult {
    bool ok = false;
    bool agree = false;
    bool labelled = false;
    bool current_right = false;
    bool candidate_right = false;
    TimeNs current_ns = 0;
    TimeNs candidate_ns = 0;
  };
  void count_shadow(const std::shared_ptr<LoadedModel>& candidate, const ShadowResult& result);

 private:
  void get_ready(const std::shared_ptr<LoadedModel>& model);

  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<ModelReader>> readers_;
  mutable std::condition_variable_any changed_;
  std::shared_ptr<LoadedModel> current_;
  std::shared_ptr<LoadedModel> shadow_;
  InferenceStats stats_;
  wire::ShadowStats shadow_stats_;
  Histogram current_ns_;
  Histogram shadow_current_ns_;
  Histogram shadow_candidate_ns_;
};

}  // namespace moru::edge
