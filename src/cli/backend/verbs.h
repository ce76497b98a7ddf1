// SPDX-License-Identifier: Apache-2.0
// The verbs of `moru backend`, one file each in this folder.
#pragma once

#include <functional>

#include "cli/noun.h"

namespace CLI {
class App;
}

namespace moru::cli {

void add_backend_install(CLI::App& app, std::function<Outcome()>* run);
void add_backend_list(CLI::App& app, std::function<Outcome()>* run);
void add_backend_remove(CLI::App& app, std::function<Outcome()>* run);
void add_backend_test(CLI::App& app, std::function<Outcome()>* run);

}  // namespace moru::cli
