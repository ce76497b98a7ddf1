// SPDX-License-Identifier: Apache-2.0
// The verbs of `moru stream`, one file each in this folder.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/noun.h"
#include "core/json_fwd.h"
#include "edge/streams/stream.h"

namespace CLI {
class App;
}

namespace moru::cli {

void add_stream_check(CLI::App& app, std::function<Outcome()>* run);
void add_stream_run(CLI::App& app, std::function<Outcome()>* run);
void add_stream_record(CLI::App& app, std::function<Outcome()>* run);
void add_stream_replay(CLI::App& app, std::function<Outcome()>* run);
void add_stream_ledger(CLI::App& app, std::function<Outcome()>* run);

/// The stream file that a verb works on.
struct StreamFile {
  std::string file;
  std::vector<std::string> values;  ///< NAME=VALUE

  void add_to(CLI::App& command);
  Result<edge::StreamSpec> read() const;
};

/// What `moru stream run` says at its end and `moru stream ledger` shows. The JSON is the one that --state writes.
Json stream_report(std::string_view name, const edge::StreamState& state, double seconds);
/// As text; what a report from outside lacks is shown as 0 or "".
std::string stream_report_text(const Json& report);

}  // namespace moru::cli
