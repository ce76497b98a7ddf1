// SPDX-License-Identifier: Apache-2.0
#include "forge/train/train.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/digest.h"
#include "forge/train/batches.h"
#include "forge/train/trainer.h"

namespace moru::forge {
namespace {

Result<double> top1_of(Trainer& trainer, const Network& network, const ImageSet& set, double mean, double std) {
  constexpr std::int64_t kBatch = 500;
  std::int64_t right = 0;
  std::vector<float> logits;
  const auto classes = static_cast<std::size_t>(network.classes);
  for (std::int64_t from = 0; from < set.size(); from += kBatch) {
    const std::int64_t count = std::min(kBatch, set.size() - from);
    MORU_ASSIGN_OR_RETURN(const model::Tensor images, normalised_batch(set, from, count, mean, std));
    logits.resize(static_cast<std::size_t>(count) * classes);
    MORU_RETURN_IF_ERROR(trainer.predict(images.data<float>(), logits));
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = std::span(logits).subspan(static_cast<std::size_t>(i) * classes, classes);
      right += std::max_element(row.begin(), row.end()) - row.begin() == set.label(from + i) ? 1 : 0;
    }
  }
  return static_cast<double>(right) / static_cast<double>(set.size());
}

Status check_fit(const Dataset& dataset, const Network& network, const TrainRecipe& recipe) {
  const ImageSet& set = dataset.train;
  if (network.channels != 1 || set.height() != network.height || set.width() != network.width) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("train: dataset '{}' has images [1, {}, {}], expected [{}, {}, {}] for network '{}'", dataset.name,
                            set.height(), set.width(), network.channels, network.height, network.width, network.name));
  }
  if (recipe.batch < 1 || recipe.batch > set.size() || recipe.epochs < 1) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("train: found {} epochs of batches of {}, expected at least 1 epoch and batches of 1 to {}", recipe.epochs,
                            recipe.batch, set.size()));
  }
  return {};
}

}  // namespace

double one_cycle_rate(const TrainRecipe& recipe, std::int64_t step, std::int64_t steps) {
  const double at = (static_cast<double>(step) + 0.5) / static_cast<double>(steps);
  if (at < recipe.warm_up) return recipe.learning_rate * at / recipe.warm_up;
  const double down = (at - recipe.warm_up) / (1.0 - recipe.warm_up);
  return recipe.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * down));
}

Result<TrainResult> train(const Dataset& dataset, const TrainRecipe& recipe, const TrainOptions& options) {
  TrainResult result;
  MORU_ASSIGN_OR_RETURN(result.network, find_network(recipe.network, static_cast<std::int64_t>(dataset.labels.size())));
  MORU_RETURN_IF_ERROR(check_fit(dataset, result.network, recipe));
  MORU_ASSIGN_OR_RETURN(Trainer trainer, Trainer::create(result.network, options.threads));
  MORU_RETURN_IF_ERROR(trainer.set_weights(options.initial != nullptr ? *options.initial : initial_weights(result.network, options.seed)));

  Batches batches(dataset.train, dataset.mean, dataset.std,
                  {.batch = recipe.batch, .shift_px = recipe.shift_px, .flip = recipe.flip, .seed = options.seed ^ 0x62617463686573ULL});
  TrainProgress progress{.epochs = recipe.epochs, .steps = recipe.epochs * batches.per_epoch()};
  StepOptions step_options{.momentum = recipe.momentum, .weight_decay = recipe.weight_decay, .label_smoothing = recipe.label_smoothing};
  const TimeNs started = system_clock().steady_now();
  for (std::int64_t epoch = 1; epoch <= recipe.epochs; ++epoch) {
    double loss_sum = 0.0;
    std::int64_t right = 0;
    for (std::int64_t i = 1; i <= batches.per_epoch(); ++i) {
      batches.next();
      step_options.learning_rate = one_cycle_rate(recipe, progress.step, progress.steps);
      MORU_ASSIGN_OR_RETURN(const StepResult step, trainer.step(batches.images(), batches.labels(), step_options));
      if (!std::isfinite(step.loss)) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("train: the loss is {} at step {}, expected a finite number; lower learning_rate (now {})", step.loss,
                                progress.step, recipe.learning_rate));
      }
      loss_sum += step.loss;
      right += step.right;
      ++progress.step;
      progress.epoch = epoch;
      progress.loss = loss_sum / static_cast<double>(i);
      progress.train_top1 = static_cast<double>(right) / static_cast<double>(i * recipe.batch);
      const double seconds = static_cast<double>(system_clock().steady_now() - started) / 1e9;
      progress.images_per_s = static_cast<double>(progress.step * recipe.batch) / std::max(seconds, 1e-9);
      progress.time_left =
          static_cast<TimeNs>(seconds * 1e9 / static_cast<double>(progress.step) * static_cast<double>(progress.steps - progress.step));
      if (options.progress && !options.progress(progress)) {
        return fail(ErrorCode::kCancelled, fmt::format("train: stopped at step {} of {}, as asked", progress.step, progress.steps));
      }
    }
    result.loss = progress.loss;
  }
  MORU_ASSIGN_OR_RETURN(result.validation_top1, top1_of(trainer, result.network, dataset.validation, dataset.mean, dataset.std));
  MORU_ASSIGN_OR_RETURN(result.weights, trainer.weights());
  result.weights_digest = weights_digest(result.weights);
  result.duration = system_clock().steady_now() - started;
  return result;
}

std::string train_cache_key(const Dataset& dataset, const TrainRecipe& recipe, const TrainOptions& options,
                            std::string_view trainer_version) {
  return sha256_hex(fmt::format("train 1\ndataset {}\nrecipe {}\nseed {}\nthreads {}\ninitial {}\ntrainer {}\n", dataset.digest,
                                describe(recipe), options.seed, options.threads,
                                options.initial != nullptr ? weights_digest(*options.initial) : "random", trainer_version));
}

}  // namespace moru::forge
