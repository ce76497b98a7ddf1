// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "cli/support/workers.h"
#include "core/json.h"
#include "core/process.h"
#include "runtime/backends/backend.h"
#include "runtime/backends/page.h"
#include "runtime/worker/backend_worker.h"
#include "runtime/worker/requests.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string name;
  bool markdown = false;
  Format format = Format::kText;
};

Json row(const runtime::BackendSpec& backend, const runtime::BackendInfo& info) {
  Json json = {{"name", backend.name}, {"doc", backend.doc}};
  json.update(runtime::to_json(info));
  return json;
}

std::string lines(const runtime::BackendSpec& backend, const runtime::BackendInfo& info) {
  constexpr int kIndent = 27;
  std::string text = fmt::format("{:14} {:12} {}\n", backend.name, info.available ? info.version : "not here", backend.doc);
  if (!info.available) text += fmt::format("{:{}} {}\n", "", kIndent, info.reason);
  for (const auto& device : info.devices) text += fmt::format("{:{}} {}: {}\n", "", kIndent, device.name, device.doc);
  return text;
}

Result<std::vector<const runtime::BackendSpec*>> chosen(const std::string& name) {
  const auto all = runtime::all_backends();
  if (name.empty()) return std::vector(all.begin(), all.end());
  MORU_ASSIGN_OR_RETURN(const auto choice, runtime::choose_backend(name));
  return std::vector{choice.backend};
}

Outcome run_backends(const Flags& flags) {
  if (flags.markdown) {
    print_text(runtime::backends_page());
    return kDone;
  }
  MORU_ASSIGN_OR_RETURN(const auto backends, chosen(flags.name));
  const auto infos = runtime::probe_backends(backends, own_worker());
  if (stop_requested()) return kInterrupted;
  std::string text;
  Json rows = Json::array();
  for (std::size_t i = 0; i < backends.size(); ++i) {
    rows.push_back(row(*backends[i], infos[i]));
    text += lines(*backends[i], infos[i]);
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
  app.add_flag("--markdown", flags.markdown, "Print the first half of docs/backends.md: what each is, reads and can be told");
  app.footer("Example:\n  moru backends onnxruntime");
  app.callback([run] { *run = [] { return run_backends(flags); }; });
}

}  // namespace

extern const NounSpec kNoun_backends;
const NounSpec kNoun_backends{
    .name = "backends", .doc = "What can run models here: names, versions, and why the others are not here", .add = add};

}  // namespace moru::cli
