// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/model/verbs.h"

namespace moru::cli {
namespace {

void add(CLI::App& app, std::function<Outcome()>* run) {
  app.require_subcommand(1);
  add_model_show(app, run);
  add_model_run(app, run);
  add_model_compare(app, run);
  add_model_convert(app, run);
  add_model_check(app, run);
  add_model_fit(app, run);
  add_model_partition(app, run);
}

}  // namespace

extern const NounSpec kNoun_model;
const NounSpec kNoun_model{
    .name = "model",
    .doc =
        "Look at models and bundles; run, compare and convert models; see what a device runs of them and whether they fit, and split them",
    .add = add};

}  // namespace moru::cli
