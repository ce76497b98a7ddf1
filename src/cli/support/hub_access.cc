// SPDX-License-Identifier: Apache-2.0
#include "cli/support/hub_access.h"

#include <CLI/CLI.hpp>
#include <utility>

namespace moru::cli {

CLI::App* add_hub_verb(CLI::App& app, std::function<Outcome()>* run, const char* name, const char* doc, HubAccess* access, Format* format,
                       std::function<Outcome()> work) {
  CLI::App* command = app.add_subcommand(name, doc);
  command->add_option("--home", access->home, "Folder of the hub on this machine (default: MORU_HOME/hub)");
  command->add_option("--ready-file", access->ready_file, "The hub's ready file, where it is not in that folder");
  command->add_option("--hub", access->url,
                      "Address of the hub, such as https://127.0.0.1:8443, where it is not the one in the ready file");
  add_format_option(*command, format);
  command->callback([run, work = std::move(work)] { *run = work; });
  return command;
}

Path default_hub_home() { return moru_home() / "hub"; }

Result<wire::HubClient> connect(const HubAccess& access) {
  const Path home = access.home.empty() ? default_hub_home() : Path(access.home);
  auto client = access.ready_file.empty() ? wire::HubClient::from_hub_folder(home) : wire::HubClient::from_ready_file(access.ready_file);
  if (client && !access.url.empty()) client->use_url(access.url);
  return client;
}

}  // namespace moru::cli
