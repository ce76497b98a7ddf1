// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "core/json.h"
#include "forge/data/dataset.h"

namespace moru::cli {
namespace {

struct Options {
  std::string folder = forge::fashion_mnist_folder().string();
  forge::DatasetOptions split;
  Format format = Format::kText;
};

Outcome show(const Options& options) {
  MORU_ASSIGN_OR_RETURN(const forge::Dataset dataset, forge::load_dataset(options.folder, options.split));
  const std::pair<const char*, const forge::ImageSet*> parts[] = {
      {"train", &dataset.train}, {"validation", &dataset.validation}, {"test", &dataset.test}};
  if (options.format == Format::kJson) {
    Json json = {{"name", dataset.name}, {"digest", dataset.digest}, {"height", dataset.train.height()}, {"width", dataset.train.width()},
                 {"mean", dataset.mean}, {"std", dataset.std},       {"labels", dataset.labels}};
    for (const auto& [name, set] : parts)
      json[name] = {{"images", set->size()}, {"per_class", forge::class_counts(*set, dataset.labels.size())}};
    print_json(json);
    return kDone;
  }
  std::string text =
      fmt::format("dataset  {}\ndigest   {}\nimages   {} x {}, mean {:.4f}, standard deviation {:.4f}\n\n{:<16}", dataset.name,
                  dataset.digest, dataset.train.height(), dataset.train.width(), dataset.mean, dataset.std, "class");
  for (const auto& [name, set] : parts) text += fmt::format("{:>12}", name);
  text += "\n";
  for (std::size_t label = 0; label < dataset.labels.size(); ++label) {
    text += fmt::format("{:<16}", dataset.labels[label]);
    for (const auto& [name, set] : parts) text += fmt::format("{:>12}", forge::class_counts(*set, dataset.labels.size())[label]);
    text += "\n";
  }
  text += fmt::format("{:<16}", "all");
  for (const auto& [name, set] : parts) text += fmt::format("{:>12}", set->size());
  print_text(text + "\n");
  return kDone;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  app.require_subcommand(1);
  CLI::App* command = app.add_subcommand("show", "Read a dataset, check it, and print its classes and split");
  command->add_option("folder", options.folder, "Folder with the four IDX files of the MNIST family")->capture_default_str();
  command->add_option("--validation", options.split.validation, "Images taken out of the training file")->capture_default_str();
  command->add_option("--seed", options.split.seed, "Of the split")->capture_default_str();
  add_format_option(*command, &options.format);
  command->footer("Example:\n  moru data show /usr/share/datasets/fashion-mnist --format json");
  command->callback([run] { *run = [] { return show(options); }; });
}

}  // namespace

extern const NounSpec kNoun_data;
const NounSpec kNoun_data{.name = "data", .doc = "Look at datasets", .add = add};

}  // namespace moru::cli
