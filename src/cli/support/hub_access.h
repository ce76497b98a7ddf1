// SPDX-License-Identifier: Apache-2.0
// How commands reach a hub: --home or --ready-file for its address, CA and secret, --hub for another address.
#pragma once

#include <string>

#include "core/files.h"
#include "core/result.h"
#include "wire/hub_client.h"

namespace CLI {
class App;
}

namespace moru::cli {

struct HubAccess {
  std::string url;
  std::string home;
  std::string ready_file;
};

void add_hub_options(CLI::App& command, HubAccess* access);
/// The default folder of a hub: MORU_HOME/hub.
Path default_hub_home();
Result<wire::HubClient> connect(const HubAccess& access);

}  // namespace moru::cli
