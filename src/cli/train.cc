// SPDX-License-Identifier: Apache-2.0
#include "forge/train/train.h"

#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
#include "forge/data/dataset.h"
#include "forge/train/network_graph.h"
#include "forge/train/recipe.h"
#include "forge/train/trainer.h"
#include "model/formats/formats.h"
#include "model/formats/onnx/onnx.h"

namespace moru::cli {
namespace {

struct Options {
  std::string recipe = "cnn_small";
  std::string data = forge::fashion_mnist_folder().string();
  std::string out;
  std::string from;
  std::int64_t validation = forge::DatasetOptions{}.validation;
  std::uint64_t seed = 1;
  int threads = 2;
  std::int64_t epochs = 0;
  Format format = Format::kText;
};

/// A built-in recipe's name, or a file of kind Recipe.
Result<forge::TrainRecipe> read_recipe(const Options& options) {
  const bool is_file = options.recipe.ends_with(".yaml") || options.recipe.ends_with(".yml");
  forge::TrainRecipe recipe;
  if (is_file) {
    MORU_ASSIGN_OR_RETURN(const ConfigObject document, ConfigObject::load(options.recipe));
    MORU_ASSIGN_OR_RETURN(recipe, forge::read_train_recipe(document));
  } else {
    MORU_ASSIGN_OR_RETURN(recipe, forge::find_train_recipe(options.recipe));
    if (!options.from.empty()) recipe = forge::fine_tune_recipe(recipe);
  }
  if (options.epochs > 0) recipe.epochs = options.epochs;
  return recipe;
}

Outcome train(const Options& options) {
  MORU_ASSIGN_OR_RETURN(const forge::TrainRecipe recipe, read_recipe(options));
  MORU_ASSIGN_OR_RETURN(const std::string library, forge::Trainer::library_version());
  MORU_ASSIGN_OR_RETURN(const forge::Dataset dataset,
                        forge::load_dataset(options.data, {.validation = options.validation, .seed = options.seed}));
  forge::TrainOptions how{.seed = options.seed, .threads = options.threads};
  forge::Weights initial;
  if (!options.from.empty()) {
    MORU_ASSIGN_OR_RETURN(const model::Graph parent, model::load_model(options.from));
    MORU_ASSIGN_OR_RETURN(const forge::Network network, forge::network_of(parent, static_cast<std::int64_t>(dataset.labels.size())));
    MORU_ASSIGN_OR_RETURN(initial, forge::weights_from_graph(network, parent));
    how.initial = &initial;
  }
  say(fmt::format("training '{}' on {} images of '{}', {} epochs, {} threads, {}", recipe.name, dataset.train.size(), dataset.name,
                  recipe.epochs, options.threads, library));
  std::optional<Progress> bar;
  how.progress = [&bar](const forge::TrainProgress& progress) {
    if (!bar) bar.emplace("train", static_cast<std::uint64_t>(progress.steps));
    bar->update(static_cast<std::uint64_t>(progress.step), fmt::format("epoch {}/{}  loss {:.4f}  {:.0f} images/s", progress.epoch,
                                                                       progress.epochs, progress.loss, progress.images_per_s));
    return !stop_requested();
  };
  MORU_ASSIGN_OR_RETURN(const forge::TrainResult result, forge::train(dataset, recipe, how));
  bar.reset();
  MORU_ASSIGN_OR_RETURN(const model::Graph graph, forge::to_graph(result.network, result.weights));
  MORU_RETURN_IF_ERROR(model::save_onnx(graph, options.out));
  if (options.format == Format::kJson) {
    print_json({{"model", options.out},
                {"recipe", forge::describe(recipe)},
                {"seed", options.seed},
                {"threads", options.threads},
                {"parameters", forge::parameter_count(result.network)},
                {"loss", result.loss},
                {"validation_top1", result.validation_top1},
                {"weights_digest", result.weights_digest},
                {"dataset_digest", dataset.digest},
                {"seconds", static_cast<double>(result.duration) / 1e9}});
  } else {
    print_text(
        fmt::format("validation top-1  {:.2f} %\nloss              {:.4f}\nparameters        {}\nweights           {}\ntime              "
                    "{}\nwritten           {}\n",
                    100 * result.validation_top1, result.loss, forge::parameter_count(result.network), result.weights_digest,
                    human_duration_ns(result.duration), options.out));
  }
  return kDone;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  app.add_option("recipe", options.recipe, "cnn_small, or a YAML file of kind Recipe")->capture_default_str();
  app.add_option("--data", options.data, "Folder with IDX files")->capture_default_str();
  app.add_option("-o,--out", options.out, "The float ONNX model to write")->required();
  app.add_option("--from", options.from,
                 "Train on from this model; a built-in recipe then takes a tenth of its rate and a third of its epochs");
  app.add_option("--validation", options.validation, "Images taken out of the training file for validation")->capture_default_str();
  app.add_option("--seed", options.seed, "Of the split, the first weights and the order of images")->capture_default_str();
  app.add_option("--threads", options.threads, "Threads")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--epochs", options.epochs, "Instead of the recipe's")->check(CLI::Range(1, 1000));
  add_format_option(app, &options.format);
  app.footer(
      "The same data, recipe, seed, thread count and machine give the same weights.\nExample:\n  moru train cnn_small --epochs 1 -o "
      "model.onnx");
  app.callback([run] { *run = [] { return train(options); }; });
}

}  // namespace

extern const NounSpec kNoun_train;
const NounSpec kNoun_train{.name = "train", .doc = "Train a model, or train one on", .add = add};

}  // namespace moru::cli
