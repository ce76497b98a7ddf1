// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/stream/verbs.h"

namespace moru::cli {
namespace {

void add(CLI::App& app, std::function<Outcome()>* run) {
  app.require_subcommand(1);
  add_stream_check(app, run);
  add_stream_run(app, run);
  add_stream_record(app, run);
  add_stream_replay(app, run);
  add_stream_ledger(app, run);
}

}  // namespace

extern const NounSpec kNoun_stream;
const NounSpec kNoun_stream{
    .name = "stream", .doc = "Check a stream file, run it here, record and replay it, or see what became of its items", .add = add};

}  // namespace moru::cli
