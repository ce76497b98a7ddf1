// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/backend/verbs.h"

namespace moru::cli {
namespace {

void add(CLI::App& app, std::function<Outcome()>* run) {
  app.require_subcommand(1);
  add_backend_install(app, run);
  add_backend_list(app, run);
  add_backend_remove(app, run);
  add_backend_test(app, run);
}

}  // namespace

extern const NounSpec kNoun_backend;
const NounSpec kNoun_backend{.name = "backend", .doc = "Install, list, remove and test what runs models", .add = add};

}  // namespace moru::cli
