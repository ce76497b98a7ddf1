// SPDX-License-Identifier: Apache-2.0
// Training: a network, a dataset and a recipe in; weights out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "forge/data/dataset.h"
#include "forge/train/network.h"
#include "forge/train/recipe.h"

namespace moru::forge {

struct TrainProgress {
  std::int64_t epoch = 0;  ///< from 1
  std::int64_t epochs = 0;
  std::int64_t step = 0;  ///< done, over all epochs
  std::int64_t steps = 0;
  double loss = 0.0;       ///< mean of the epoch so far
  double train_top1 = 0.0;  ///< of the epoch so far, on augmented images
  double images_per_s = 0.0;
  TimeNs time_left = 0;
};

struct TrainOptions {
  std::uint64_t seed = 1;
  int threads = 2;
  /// Trains on from these instead of from random weights.
  const Weights* initial = nullptr;
  /// Called after each step; false ends the training with kCancelled.
  std::function<bool(const TrainProgress&)> progress = {};
};

struct TrainResult {
  Network network;
  Weights weights;
  std::string weights_digest;
  double loss = 0.0;             ///< mean of the last epoch
  double validation_top1 = 0.0;  ///< share in [0, 1]
  TimeNs duration = 0;
};

/// Stochastic gradient descent with Nesterov momentum under a one-cycle learning rate (Smith and Topin, 2018: linear up,
/// cosine down). The same dataset, recipe, seed, thread count and machine give the same weights, to the digest.
/// Errors: those of Trainer::create; kCancelled; kInvalidArgument when the dataset does not fit the network.
Result<TrainResult> train(const Dataset& dataset, const TrainRecipe& recipe, const TrainOptions& options);

/// The learning rate of step `step` of `steps`.
double one_cycle_rate(const TrainRecipe& recipe, std::int64_t step, std::int64_t steps);

/// Names what train() would give: SHA-256 over dataset, recipe, seed, threads, initial weights and the trainer's version.
/// 64 hexadecimal digits; for caches. `trainer_version` as Trainer::library_version() gives it.
std::string train_cache_key(const Dataset& dataset, const TrainRecipe& recipe, const TrainOptions& options, std::string_view trainer_version);

}  // namespace moru::forge
