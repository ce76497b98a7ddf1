// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "core/json.h"
#include "core/text.h"
#include "model/graph/text.h"
#include "model/passes/pass.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string name;
  Format format = Format::kText;
};

/// The pass's example, before and after: it is run, so that what is shown is true.
struct Example {
  std::string before;
  std::string after;
};

Result<Example> run_example(const model::PassSpec& pass) {
  MORU_ASSIGN_OR_RETURN(model::Graph graph, model::parse_text(pass.example));
  Example example;
  example.before = model::to_text(graph);
  const std::vector<std::string> only{std::string(pass.name)};
  MORU_ASSIGN_OR_RETURN(const auto reports, model::run_passes(graph, only));
  example.after = model::to_text(graph);
  return example;
}

Result<Json> pass_json(const model::PassSpec& pass) {
  MORU_ASSIGN_OR_RETURN(const Example example, run_example(pass));
  return Json{{"name", pass.name}, {"doc", pass.doc}, {"before", example.before}, {"after", example.after}};
}

Outcome list(Format format) {
  Json passes = Json::array();
  for (const model::PassSpec* pass : model::all_passes()) {
    if (format == Format::kJson) {
      MORU_ASSIGN_OR_RETURN(Json json, pass_json(*pass));
      passes.push_back(std::move(json));
    } else {
      print_text(fmt::format("{:<20} {}\n", pass->name, pass->doc.substr(0, pass->doc.find_first_of(":."))));
    }
  }
  if (format == Format::kJson) print_json(passes);
  return kDone;
}

Outcome show(const Flags& flags) {
  if (flags.name.empty()) return list(flags.format);
  const model::PassSpec* pass = model::find_pass(flags.name);
  if (pass == nullptr) {
    std::vector<std::string> known;
    for (const model::PassSpec* one : model::all_passes()) known.emplace_back(one->name);
    return fail(ErrorCode::kNotFound, fmt::format("pass '{:.60}': found no such pass, expected one that `moru passes` lists{}", flags.name,
                                                  did_you_mean(flags.name, known)));
  }
  if (flags.format == Format::kJson) {
    MORU_ASSIGN_OR_RETURN(const Json json, pass_json(*pass));
    print_json(json);
    return kDone;
  }
  MORU_ASSIGN_OR_RETURN(const Example example, run_example(*pass));
  print_text(fmt::format("{}\n\n{}\n\nBefore\n{}\nAfter\n{}", pass->name, pass->doc, example.before, example.after));
  return kDone;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  app.add_option("NAME", flags.name, "a pass; without it, all are listed");
  add_format_option(app, &flags.format);
  app.footer("Example:\n  moru passes fold_batch_norm");
  app.callback([run] { *run = [] { return show(flags); }; });
}

}  // namespace

extern const NounSpec kNoun_passes;
const NounSpec kNoun_passes{.name = "passes", .doc = "List the graph passes, or explain one with a graph before and after", .add = add};

}  // namespace moru::cli
