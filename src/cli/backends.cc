// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "core/json.h"
#include "core/text.h"
#include "runtime/backends/backend.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string name;
  Format format = Format::kText;
};

Json row(const runtime::BackendSpec& backend) {
  const auto info = backend.info();
  return {{"name", backend.name}, {"doc", backend.doc}, {"available", info.available}, {"version", info.version}, {"reason", info.reason}};
}

std::string line(const runtime::BackendSpec& backend) {
  const auto info = backend.info();
  return fmt::format("{:14} {:12} {}\n{}", backend.name, info.available ? info.version : "not here", backend.doc,
                     info.available ? "" : fmt::format("{:27} {}\n", "", info.reason));
}

Outcome run_backends(const Flags& flags) {
  std::vector<std::string> names;
  std::string text;
  Json rows = Json::array();
  for (const runtime::BackendSpec* backend : runtime::all_backends()) {
    names.emplace_back(backend->name);
    if (!flags.name.empty() && flags.name != backend->name) continue;
    rows.push_back(row(*backend));
    text += line(*backend);
  }
  if (rows.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("backends: found unknown name '{}'{}, expected one of {}", flags.name,
                                                  did_you_mean(flags.name, names), fmt::join(names, ", ")));
  }
  if (flags.format == Format::kJson) {
    print_json(flags.name.empty() ? rows : rows[0]);
  } else {
    print_text(text);
  }
  return kDone;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  app.add_option("name", flags.name, "Only this one");
  add_format_option(app, &flags.format);
  app.footer("Example:\n  moru backends onnxruntime");
  app.callback([run] { *run = [] { return run_backends(flags); }; });
}

}  // namespace

extern const NounSpec kNoun_backends;
const NounSpec kNoun_backends{
    .name = "backends", .doc = "What can run models here: names, versions, and why the others are not here", .add = add};

}  // namespace moru::cli
