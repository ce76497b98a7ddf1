// SPDX-License-Identifier: Apache-2.0
#include "forge/train/recipe.h"

#include <fmt/format.h>

#include <algorithm>

namespace moru::forge {

Result<TrainRecipe> find_train_recipe(std::string_view name) {
  if (name == "cnn_small") return TrainRecipe{};
  return fail(ErrorCode::kNotFound, fmt::format("recipe: found '{}', expected 'cnn_small' or a file of kind Recipe", name));
}

Result<TrainRecipe> read_train_recipe(const ConfigObject& document) {
  MORU_ASSIGN_OR_RETURN(const Declared declared, read_declared(document, "Recipe"));
  TrainRecipe recipe;
  recipe.name = declared.name;
  std::string type;
  ConfigReader reader(declared.spec);
  reader.choice("type", &type, {"train"}, true);
  reader.choice("network", &recipe.network, {"cnn_small"});
  reader.optional("epochs", &recipe.epochs, {.min = 1, .max = 1000});
  reader.optional("batch", &recipe.batch, {.min = 2, .max = 4096});
  reader.optional("learning_rate", &recipe.learning_rate, {.min = 1e-8, .max = 10});
  reader.optional("warm_up", &recipe.warm_up, {.min = 0, .max = 0.9});
  reader.optional("momentum", &recipe.momentum, {.min = 0.001, .max = 0.999});
  reader.optional("weight_decay", &recipe.weight_decay, {.min = 0, .max = 1});
  reader.optional("label_smoothing", &recipe.label_smoothing, {.min = 0, .max = 0.5});
  reader.optional("shift_px", &recipe.shift_px, {.min = 0, .max = 8});
  reader.optional("flip", &recipe.flip);
  MORU_RETURN_IF_ERROR(reader.finish());
  return recipe;
}

std::string describe(const TrainRecipe& r) {
  return fmt::format(
      "network {} epochs {} batch {} learning_rate {} warm_up {} momentum {} weight_decay {} label_smoothing {} shift_px {} flip {}",
      r.network, r.epochs, r.batch, r.learning_rate, r.warm_up, r.momentum, r.weight_decay, r.label_smoothing, r.shift_px, r.flip);
}

TrainRecipe fine_tune_recipe(const TrainRecipe& recipe) {
  TrainRecipe tuned = recipe;
  tuned.name = recipe.name + "-on";
  tuned.epochs = std::max<std::int64_t>(1, recipe.epochs / 3);
  tuned.learning_rate = recipe.learning_rate / 10;
  return tuned;
}

}  // namespace moru::forge
