// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/stream/verbs.h"
#include "core/json.h"
#include "core/process.h"
#include "edge/streams/control_socket.h"

namespace moru::cli {
namespace {

struct Options {
  std::string state;
  std::string link;
  std::uint64_t items = 0;
};

/// A line of the stream: an item, or a word about them. True: it was an item.
Result<bool> show(const std::string& line) {
  MORU_ASSIGN_OR_RETURN(const auto json, parse_json(line, "control"));
  if (const auto error = json_or<std::string>(json, "error", ""); !error.empty()) return fail(ErrorCode::kInvalidArgument, error);
  // An item has a number; a field of it may be called "missed".
  if (!json.contains("seq")) {
    say(fmt::format("{} items not shown: they come faster than they can be shown", json_or<std::uint64_t>(json, "missed", 0)));
    return false;
  }
  print_text(line + "\n");
  return true;
}

Outcome tap(const Options& options) {
  MORU_ASSIGN_OR_RETURN(auto client, edge::ControlClient::connect(options.state));
  MORU_RETURN_IF_ERROR(client.send({{"ask", "tap"}, {"link", options.link}}));
  for (std::uint64_t shown = 0; options.items == 0 || shown < options.items;) {
    if (stop_requested()) return kInterrupted;
    const auto line = client.next_line(100 * kMillisecond);
    if (!line && line.error().code == ErrorCode::kUnavailable) return kDone;  // the stream has ended
    if (!line) return fail(line.error());
    if (!*line) continue;
    MORU_ASSIGN_OR_RETURN(const bool item, show(**line));
    if (item) ++shown;
  }
  return kDone;
}

}  // namespace

void add_stream_tap(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  CLI::App* command = app.add_subcommand("tap", "Show the items that go by a link of a running stream, as JSON lines");
  command->add_option("state", options.state, "The folder that the stream was given as --state")->required();
  command->add_option("link", options.link, "The link, as `moru stream ledger` names it: 'sensors->hot'")->required();
  command->add_option("--items", options.items, "Ends after so many");
  command->footer("Example:\n  moru stream tap line.state 'sensors->hot' --items 10");
  command->callback([run] { *run = [] { return tap(options); }; });
}

}  // namespace moru::cli
