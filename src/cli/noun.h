// SPDX-License-Identifier: Apache-2.0
// The command line: one file a noun, a table made from the file names (src/cli/model.cc defines kNoun_model).
#pragma once

#include <fmt/format.h>

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/json_fwd.h"
#include "core/result.h"

namespace CLI {
class App;
}

namespace moru::cli {

/// Exit codes, the same for every command.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,    ///< wrong usage or bad input
  kNotMet = 3,   ///< a budget or gate was not met
  kMissing = 4,  ///< something needed is missing; the message says how to get it
  kInterrupted = 130,
};

/// What a command leaves behind: its exit code, or an error whose code says which one.
using Outcome = Result<int>;

/// A noun adds its subcommands to `app` and sets `*run` in the callback of the chosen one (parsing has ended then).
struct NounSpec {
  std::string_view name;
  std::string_view doc;
  void (*add)(CLI::App& app, std::function<Outcome()>* run);
};

std::span<const NounSpec* const> all_nouns();

/// How results are printed. `--format text|json`; in JSON mode stdout holds exactly one JSON value.
enum class Format { kText, kJson };
void add_format_option(CLI::App& command, Format* format);
void print_json(const Json& value);
/// To stdout.
void print_text(std::string_view text);
/// A message for people, to stderr; never in JSON.
void say(std::string_view text);

/// A bar with rate and time left on stderr; silent when stderr is no terminal.
class Progress {
 public:
  Progress(std::string title, std::uint64_t total);
  ~Progress();
  void update(std::uint64_t done, std::string_view note = {});

 private:
  std::string title_;
  std::uint64_t total_;
  std::int64_t started_;
  std::int64_t shown_ = 0;
  bool terminal_;
};

/// The exit code for an error: kCancelled 130; kUnavailable 4; kInvalidArgument, kNotFound, kUnsupported, kCorrupt 2;
/// else 1.
int exit_code(const Error& error);

}  // namespace moru::cli
