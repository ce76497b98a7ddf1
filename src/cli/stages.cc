// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "core/json.h"
#include "core/text.h"
#include "edge/streams/page.h"
#include "edge/streams/stage.h"

namespace moru::cli {
namespace {

struct Options {
  std::string name;
  bool markdown = false;
  Format format = Format::kText;
};

std::string first_line(std::string_view doc) { return std::string(doc.substr(0, doc.find('\n'))); }

Json stage_json(const edge::StageSpec& spec) {
  return {{"name", spec.name}, {"kind", edge::to_string(spec.kind)}, {"doc", spec.doc}, {"example", spec.example}};
}

Outcome show_one(const Options& options) {
  const edge::StageSpec* spec = edge::find_stage(options.name);
  if (spec == nullptr) {
    std::vector<std::string> known;
    for (const auto* one : edge::all_stages()) known.emplace_back(one->name);
    return fail(ErrorCode::kNotFound, fmt::format("stages: found no stage '{}'{}, expected one of {}", options.name,
                                                  did_you_mean(options.name, known), fmt::join(known, ", ")));
  }
  if (options.format == Format::kJson) {
    print_json(stage_json(*spec));
  } else {
    print_text(fmt::format("{} ({})\n\n{}\nExample\n\n{}", spec->name, edge::to_string(spec->kind), spec->doc, spec->example));
  }
  return kDone;
}

Outcome show_all(const Options& options) {
  if (options.format == Format::kJson) {
    Json rows = Json::array();
    for (const auto* spec : edge::all_stages()) rows.push_back(stage_json(*spec));
    print_json(rows);
    return kDone;
  }
  std::string text;
  for (const auto* spec : edge::all_stages())
    text += fmt::format("{:<16} {:<7} {}\n", spec->name, edge::to_string(spec->kind), first_line(spec->doc));
  print_text(text);
  return kDone;
}

Outcome show(const Options& options) {
  if (options.markdown) {
    print_text(edge::stages_page());
    return kDone;
  }
  return options.name.empty() ? show_all(options) : show_one(options);
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  app.add_option("name", options.name, "A stage; without it all are listed");
  add_format_option(app, &options.format);
  app.add_flag("--markdown", options.markdown, "Print docs/stages.md: all of them, and how a stream file is written");
  app.footer("Example:\n  moru stages infer");
  app.callback([run] { *run = [] { return show(options); }; });
}

}  // namespace

extern const NounSpec kNoun_stages;
const NounSpec kNoun_stages{
    .name = "stages", .doc = "List the stages that a stream can be made of, or show one with its options and an example", .add = add};

}  // namespace moru::cli
