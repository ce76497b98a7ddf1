// SPDX-License-Identifier: Apache-2.0
// How commands reach a hub: --home or --ready-file for its address, CA and secret, --hub for another address.
#pragma once

#include <functional>
#include <string>

#include "cli/noun.h"
#include "core/files.h"
#include "core/result.h"
#include "wire/hub_client.h"

namespace moru::cli {

struct HubAccess {
  std::string url;
  std::string home;
  std::string ready_file;
};

/// A verb that asks a hub: with the options for reaching it and --format; `work` is what it runs.
CLI::App* add_hub_verb(CLI::App& app, std::function<Outcome()>* run, const char* name, const char* doc, HubAccess* access, Format* format,
                       std::function<Outcome()> work);
/// The default folder of a hub: MORU_HOME/hub.
Path default_hub_home();
Result<wire::HubClient> connect(const HubAccess& access);

}  // namespace moru::cli
