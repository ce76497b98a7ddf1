// SPDX-License-Identifier: Apache-2.0
// How to train: a declared thing of kind Recipe (spec.type: train) with defaults for everything.
#pragma once

#include <cstdint>
#include <string>

#include "core/config.h"
#include "core/result.h"

namespace moru::forge {

struct TrainRecipe {
  std::string name = "cnn_small";
  std::string network = "cnn_small";
  std::int64_t epochs = 10;
  std::int64_t batch = 128;
  double learning_rate = 0.1;     ///< the peak of the one-cycle schedule
  double warm_up = 0.25;          ///< share of the steps in which the rate rises to the peak
  double momentum = 0.9;
  double weight_decay = 5e-4;
  double label_smoothing = 0.05;
  std::int64_t shift_px = 1;      ///< images are shifted by up to so many pixels each way
  bool flip = true;               ///< half of the images are mirrored left to right
};

/// The recipe by a name built in ("cnn_small"). kNotFound lists the known names.
Result<TrainRecipe> find_train_recipe(std::string_view name);

/// Fields left out keep the defaults above; ranges are checked. Errors name file and line.
Result<TrainRecipe> read_train_recipe(const ConfigObject& document);

/// The recipe's settings on one line, the same for equal recipes: for cache keys and provenance.
std::string describe(const TrainRecipe& recipe);

/// The built-in recipe for training on: the same network at a tenth of the rate for a third of the epochs.
TrainRecipe fine_tune_recipe(const TrainRecipe& recipe);

}  // namespace moru::forge
