// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/backend/verbs.h"
#include "core/json.h"
#include "core/text.h"
#include "runtime/install/install.h"

namespace moru::cli {
namespace {

std::string installed_version(const runtime::Manifest& manifest) {
  std::vector<std::string_view> versions;
  for (const auto& package : manifest.packages) versions.push_back(package.version);
  return fmt::format("{}", fmt::join(versions, " + "));
}

std::string pinned_version(const runtime::BackendSpec& backend) {
  std::vector<std::string_view> versions;
  for (const auto& package : backend.packages) versions.push_back(package.version);
  return fmt::format("{}", fmt::join(versions, " + "));
}

Json row(const runtime::BackendSpec& backend, const runtime::Installation& found) {
  return {{"backend", backend.name},
          {"state", to_string(found.state)},
          {"version", installed_version(found.manifest)},
          {"pinned", pinned_version(backend)},
          {"size_bytes", found.size_bytes},
          {"folder", found.folder.string()},
          {"installed_at", found.manifest.installed_at},
          {"detail", found.detail}};
}

std::string line(const runtime::BackendSpec& backend, const runtime::Installation& found) {
  const bool here = !found.manifest.backend.empty();
  const std::string version = here ? installed_version(found.manifest) : fmt::format("({})", pinned_version(backend));
  std::string text = fmt::format("{:14} {:14} {:16} {:>10}  {}\n", backend.name, to_string(found.state), version,
                                 here ? human_bytes(found.size_bytes) : "", found.folder.string());
  if (!found.detail.empty()) text += fmt::format("{:14} {}\n", "", found.detail);
  return text;
}

Outcome list(Format format) {
  Json rows = Json::array();
  std::string text;
  for (const runtime::BackendSpec* backend : runtime::all_backends()) {
    if (backend->packages.empty()) continue;
    const auto found = runtime::look_at_installation(*backend);
    rows.push_back(row(*backend, found));
    text += line(*backend, found);
  }
  if (format == Format::kJson) {
    print_json(rows);
  } else {
    print_text(text);
  }
  return kDone;
}

}  // namespace

void add_backend_list(CLI::App& app, std::function<Outcome()>* run) {
  static Format format = Format::kText;
  CLI::App* command = app.add_subcommand("list", "What `moru backend install` can get, and whether what it got is still as it was");
  add_format_option(*command, &format);
  command->footer("What runs models here, wherever its library came from, is in `moru backends`.\nExample:\n  moru backend list");
  command->callback([run] { *run = [] { return list(format); }; });
}

}  // namespace moru::cli
