// SPDX-License-Identifier: Apache-2.0
// One model, run on the tensors of several items at once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "edge/streams/stages/infer.h"
#include "edge/streams/stages/normalise.h"
#include "model/tensor/tensor.h"

namespace moru::edge {

/// What the model's first output says: classes, of which the likeliest is wanted; plain values; or what the input should have been, of
/// which the mean squared difference is wanted.
enum class Answer : std::uint8_t { kClasses, kValues, kError };

/// Memory for every batch is made once. A batch is run in parts of 1, 2, 4, ... items, so that the model needs few plans; one whose first
/// extent is not open runs item by item. Results are those of batch 1. Threads: one at a time.
class Inference {
 public:
  struct Input {
    model::Tensor tensor;               ///< of one item: the shape that the model takes, or that without its first extent of 1
    std::optional<Normalisation> used;  ///< how it was normalised
  };

  /// Errors: kUnsupported for a model with other than one input, or whose output is neither floats nor levels; kCorrupt for one that does
  /// not fit its card; those of planning.
  static Result<Inference> create(std::shared_ptr<LoadedModel> model, Answer answer, std::int64_t max_batch);

  const std::shared_ptr<LoadedModel>& model() const { return model_; }
  /// Whether the model can take it.
  Status check(const model::Tensor& tensor) const;
  /// Runs the model on all of `inputs`, which check() has let pass. Afterwards of each item finite() and, where that is so, the others.
  Status run(std::span<const Input> inputs, const Clock& clock);

  Status finite(std::size_t item) const;
  std::span<const float> values(std::size_t item) const { return {values_.data() + item * width_, width_}; }
  std::int64_t top(std::size_t item) const { return tops_[item]; }
  double error(std::size_t item) const { return errors_[item]; }
  TimeNs duration() const { return duration_; }  ///< of the last run, all of it

 private:
  struct Batch {
    std::int64_t items = 1;
    model::Tensor input;
    std::vector<model::Tensor> outputs;
    std::vector<model::TensorView> views;
  };
  Inference(std::shared_ptr<LoadedModel> model, Answer answer) : model_(std::move(model)), answer_(answer) {}

  Status make_batch(std::int64_t items);
  Status check_output();
  Status run_part(std::span<const Input> inputs, Batch& batch, std::size_t first);
  bool runs_as_it_is(const Input& input) const;
  void write_input(const Input& input, model::Tensor& to, std::size_t at) const;
  void read_output(const model::Tensor& from, std::size_t at, std::size_t item);
  void finish(const Input& input, std::size_t item);
  double squared_error(const Input& input, std::span<const float> values) const;

  std::shared_ptr<LoadedModel> model_;
  Answer answer_;
  std::vector<Batch> batches_;  ///< of 1, 2, 4, ... items
  model::Dims item_dims_;       ///< of the input, for one item
  bool fixed_ = true;           ///< all of them are known, but for the batch; else each item has its own, and runs alone
  std::size_t input_width_ = 0;
  std::size_t width_ = 0;  ///< of the output
  std::vector<float> values_;
  std::vector<std::int64_t> tops_;
  std::vector<double> errors_;
  std::vector<char> finite_;
  TimeNs duration_ = 0;
};

}  // namespace moru::edge
