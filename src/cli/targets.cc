// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "core/json.h"
#include "model/targets/target.h"

namespace moru::cli {
namespace {

using model::targets::Target;

struct Flags {
  std::string name;
  Format format = Format::kText;
};

std::string formats_text(const Target& target) { return fmt::format("{}", fmt::join(target.formats, ", ")); }

Json to_json(const Target& target) {
  Json memory = Json::array();
  for (const auto& one : target.memory)
    memory.push_back({{"name", one.name}, {"bytes", one.bytes}, {"holds", one.holds}, {"spills", one.spills}});
  std::vector<std::string> ops;
  for (const auto& [op, rule] : target.rule_of) ops.push_back(op);
  return {{"name", target.name},
          {"doc", target.doc},
          {"isa", target.isa},
          {"accelerator", target.accelerator.empty() ? Json() : Json(target.accelerator)},
          {"runtime", target.runtime},
          {"formats", target.formats},
          {"opsets", target.max_opset == 0 ? Json() : Json{target.min_opset, target.max_opset}},
          {"static_shapes", target.static_shapes},
          {"full_int8", target.full_int8},
          {"one_piece", target.one_piece},
          {"memory", std::move(memory)},
          {"ops", ops},
          {"fallback", target.fallback}};
}

Outcome list(Format format) {
  Json all = Json::array();
  std::string text;
  for (const auto& profile : model::targets::builtin_profiles()) {
    MORU_ASSIGN_OR_RETURN(const Target target, model::targets::load_target(profile.name));
    all.push_back(to_json(target));
    text += fmt::format("{:<17} {:<13} {}\n", target.name, formats_text(target), target.doc);
  }
  if (format == Format::kJson) {
    print_json(all);
  } else {
    print_text(text);
  }
  return kDone;
}

Outcome show(const Flags& flags) {
  if (flags.name.empty()) return list(flags.format);
  MORU_ASSIGN_OR_RETURN(const Target target, model::targets::load_target(flags.name));
  if (flags.format == Format::kJson) {
    print_json(to_json(target));
    return kDone;
  }
  for (const auto& profile : model::targets::builtin_profiles()) {
    if (profile.name == flags.name) {
      print_text(profile.yaml);
      return kDone;
    }
  }
  print_text(fmt::format("{}: {} rules, no mistakes\n", flags.name, target.ops.size()));
  return kDone;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  app.add_option("NAME", flags.name,
                 "A target, whose description is printed, or a file of kind Target, which is checked; without it, all are listed");
  add_format_option(app, &flags.format);
  app.footer("Example:\n  moru targets\n  moru targets coral-edgetpu > mine.yaml");
  app.callback([run] { *run = [] { return show(flags); }; });
}

}  // namespace

extern const NounSpec kNoun_targets;
const NounSpec kNoun_targets{.name = "targets", .doc = "List the devices that models can be checked, split and converted for", .add = add};

}  // namespace moru::cli
