// SPDX-License-Identifier: Apache-2.0
// One network in training, run by the trainer's shared library, which is loaded at first use: a program starts, and
// works, without it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/files.h"
#include "core/result.h"
#include "forge/train/network.h"

namespace moru::forge {

/// One step's input and settings; see MoruStep of trainer_api.h.
struct StepOptions {
  double learning_rate = 0.1;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  double label_smoothing = 0.0;
};
struct StepResult {
  double loss = 0.0;       ///< mean over the batch
  std::int64_t right = 0;  ///< images whose arg max is the label
};

/// Threads: one owner. The thread count of the latest Trainer is the process's (libtorch has one pool).
class Trainer {
 public:
  /// Errors: kUnavailable when the library or libtorch is missing, with what to install; kInvalidArgument for a network
  /// that breaks a layer's rules.
  static Result<Trainer> create(const Network& network, int threads);
  Trainer(Trainer&& other) noexcept;
  Trainer& operator=(Trainer&& other) noexcept;
  ~Trainer();

  Status set_weights(const Weights& weights);
  Result<Weights> weights() const;
  /// `images` are [batch, C, H, W], normalised; `labels` [batch].
  Result<StepResult> step(std::span<const float> images, std::span<const std::int64_t> labels, const StepOptions& options);
  /// Logits [batch, classes] with the running statistics.
  Status predict(std::span<const float> images, std::span<float> logits);

  /// "libtorch 1.13.0"; the errors of create().
  static Result<std::string> library_version();

 private:
  Trainer(const MoruTrainerTable* table, void* handle, const Network& network);
  const MoruTrainerTable* table_;
  void* handle_;
  std::size_t weight_count_;
  std::size_t image_size_;
  std::size_t classes_;
};

/// Opens a trainer's library and checks its interface version. It is never closed: libtorch's threads and statics live until
/// the process ends. Errors: kUnavailable with what to do.
Result<const MoruTrainerTable*> open_trainer_library(const Path& path);

}  // namespace moru::forge
