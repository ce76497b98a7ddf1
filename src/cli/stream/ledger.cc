// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/stream/verbs.h"
#include "core/files.h"
#include "core/json.h"

namespace moru::cli {
namespace {

struct Options {
  std::string file;
  Format format = Format::kText;
};

/// The first row that says that it does not add up, or is no row.
std::string out_of_balance(const Json& report) {
  for (const char* table : {"ledger", "stages"}) {
    for (const auto& row : report.value(table, Json::array())) {
      if (!row.is_object() || !row.contains("balanced") || row["balanced"] != true)
        return row.is_object() ? row.value(table == std::string_view("ledger") ? "link" : "name", std::string("a row")) : "a row";
    }
  }
  return {};
}

Outcome show(const Options& options) {
  const bool is_folder = std::filesystem::is_directory(options.file);
  const Path file = is_folder ? Path(options.file) / "state.json" : Path(options.file);
  MORU_ASSIGN_OR_RETURN(const auto text, read_file(file, 1U << 20U));
  MORU_ASSIGN_OR_RETURN(const auto report, parse_json(text, file.string()));
  if (!report.is_object() || !report.contains("ledger") || !report["ledger"].is_array() || !report.value("stages", Json()).is_array()) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}: found no ledger, expected a file that `moru stream run --state` has written", file.string()));
  }
  if (options.format == Format::kJson) {
    print_json(report);
  } else {
    print_text(stream_report_text(report));
  }
  const auto wrong = out_of_balance(report);
  if (wrong.empty()) return kDone;
  say(fmt::format("{}: the counts of '{}' do not add up", options.file, wrong));
  return kFailed;
}

}  // namespace

void add_stream_ledger(CLI::App& app, std::function<Outcome()>* run) {
  static Options options;
  CLI::App* command = app.add_subcommand("ledger", "Show what became of every item of a stream; fails when that does not add up");
  command->add_option("file", options.file, "The folder of `moru stream run --state`, while it runs and afterwards")->required();
  add_format_option(*command, &options.format);
  command->footer("Example:\n  moru stream ledger line.state");
  command->callback([run] { *run = [] { return show(options); }; });
}

}  // namespace moru::cli
