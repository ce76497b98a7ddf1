// SPDX-License-Identifier: Apache-2.0
#include "forge/compress/compress.h"

#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "cli/support/models.h"
#include "core/json.h"
#include "core/process.h"
#include "forge/data/dataset.h"
#include "forge/package/package.h"
#include "forge/validate/evaluate.h"
#include "forge/validate/threshold.h"
#include "model/formats/bundle/model_card.h"
#include "model/formats/onnx/onnx.h"

namespace moru::cli {
namespace {

struct Options {
  std::string model;
  std::string data = forge::fashion_mnist_folder().string();
  std::string out;
  std::string recipe;
  std::string card;
  std::string backend = "onnxruntime";
  std::int64_t validation = forge::DatasetOptions{}.validation;
  std::uint64_t seed = 1;
  int threads = 1;
  double max_drop = -1.0;
  double max_size = -1.0;
  Format format = Format::kText;
};

Result<forge::CompressRecipe> read_recipe(const Options& options) {
  forge::CompressRecipe recipe;
  if (!options.recipe.empty()) {
    MORU_ASSIGN_OR_RETURN(const ConfigObject document, ConfigObject::load(options.recipe));
    MORU_ASSIGN_OR_RETURN(recipe, forge::read_compress_recipe(document));
  }
  if (options.max_drop >= 0) recipe.budget.max_drop_points = options.max_drop;
  if (options.max_size >= 0) recipe.budget.max_size_ratio = options.max_size;
  return recipe;
}

/// The model card with everything that was measured, and the alert's threshold from the validation part.
Result<model::ModelCard> make_card(const Options& options, const model::Graph& graph, const forge::Dataset& dataset, std::string_view onnx,
                                   const forge::CompressRecipe& recipe, const forge::Comparison& comparison) {
  MORU_ASSIGN_OR_RETURN(const auto session, runtime::load_session(options.backend, onnx, {.threads = options.threads}));
  MORU_ASSIGN_OR_RETURN(const forge::Evaluation validation, forge::evaluate(*session, dataset.validation, dataset.mean, dataset.std));
  MORU_ASSIGN_OR_RETURN(
      const forge::ThresholdReport threshold,
      forge::alert_threshold(validation, dataset.validation, comparison.compressed_evaluation, dataset.test, options.seed));
  model::ModelCard card = forge::classifier_card(graph.name, graph, dataset);
  forge::add_figures(comparison, &card);
  forge::add_figures(threshold, &card);
  card.provenance.emplace_back("compress_recipe", forge::describe(recipe));
  return card;
}

Outcome compress(const Options& options) {
  MORU_ASSIGN_OR_RETURN(const forge::CompressRecipe recipe, read_recipe(options));
  MORU_ASSIGN_OR_RETURN(const std::string original, backend_bytes(options.model));
  MORU_ASSIGN_OR_RETURN(const model::Graph graph, model::load_model(options.model));
  MORU_ASSIGN_OR_RETURN(const forge::Dataset dataset,
                        forge::load_dataset(options.data, {.validation = options.validation, .seed = options.seed}));
  MORU_ASSIGN_OR_RETURN(const forge::Compressed compressed,
                        forge::compress(graph, dataset, recipe, forge::backend_runner(options.backend, options.threads)));
  MORU_ASSIGN_OR_RETURN(const std::string bytes, model::write_onnx(compressed.graph));
  std::optional<Progress> bar(std::in_place, "measure", 1000);
  const auto comparison = forge::compare_models(original, bytes, dataset.test, dataset.mean, dataset.std, recipe.budget,
                                                {.backend = options.backend, .threads = options.threads, .progress = [&bar](double share) {
                                                   bar->update(static_cast<std::uint64_t>(share * 1000));
                                                   return !stop_requested();
                                                 }});
  bar.reset();
  if (!comparison) return fail(comparison.error());
  // The file is written even when the budget is not met, so that it can be looked at; the exit code says so.
  MORU_RETURN_IF_ERROR(write_file_atomic(options.out, bytes));
  if (!options.card.empty()) {
    MORU_ASSIGN_OR_RETURN(const model::ModelCard card, make_card(options, compressed.graph, dataset, bytes, recipe, *comparison));
    MORU_RETURN_IF_ERROR(write_file_atomic(options.card, model::write_card(card)));
  }
  if (options.format == Format::kJson) {
    Json json = forge::to_json(*comparison);
    json["model"] = options.out;
    json["recipe"] = forge::describe(recipe);
    print_json(json);
  } else {
    print_text(forge::to_table(*comparison) + fmt::format("written: {}\n", options.out));
  }
  return comparison->budget_met ? kDone : kNotMet;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  app.add_option("model", options.model, "The float model (.onnx, .graph)")->required();
  app.add_option("--data", options.data, "Folder with IDX files; the train part calibrates, the test part judges")->capture_default_str();
  app.add_option("-o,--out", options.out, "The int8 ONNX model to write")->required();
  app.add_option("--recipe", options.recipe, "A YAML file of kind Recipe");
  app.add_option("--card", options.card, "Also choose the alert's threshold and write the model card (JSON) there");
  app.add_option("--max-drop", options.max_drop, "Budget: top-1 may fall by so many points (1)")->check(CLI::Range(0.0, 100.0));
  app.add_option("--max-size", options.max_size, "Budget: size over the float model's size (0.3)")->check(CLI::Range(0.001, 10.0));
  app.add_option("--backend", options.backend, "Runs both models")->capture_default_str();
  app.add_option("--threads", options.threads, "Threads of the backend")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--validation", options.validation, "Images of the training file that were kept for validation")->capture_default_str();
  app.add_option("--seed", options.seed, "Of the split; the one that the model was trained with")->capture_default_str();
  add_format_option(app, &options.format);
  app.footer("Exit code 3: the budget was not met.\nExample:\n  moru compress model.onnx -o model.int8.onnx --max-drop 1 --max-size 0.3");
  app.callback([run] { *run = [] { return compress(options); }; });
}

}  // namespace

extern const NounSpec kNoun_compress;
const NounSpec kNoun_compress{.name = "compress", .doc = "Make a model small (int8) under a budget, and measure both", .add = add};

}  // namespace moru::cli
