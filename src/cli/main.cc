// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>

#include "cli/noun.h"
#include "core/json.h"
#include "core/log.h"
#include "core/process.h"
#include "core/text.h"

namespace moru::cli {

void add_format_option(CLI::App& command, Format* format) {
  command
      .add_option_function<std::string>(
          "--format", [format](const std::string& word) { *format = word == "json" ? Format::kJson : Format::kText; }, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
}

namespace {
void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written <= 0) return;  // a closed pipe: nobody reads
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}
}  // namespace

void print_text(std::string_view text) { write_all(STDOUT_FILENO, text); }
void print_json(const Json& value) { print_text(value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"); }
void say(std::string_view text) { write_all(STDERR_FILENO, std::string(text) + "\n"); }

Progress::Progress(std::string title, std::uint64_t total)
    : title_(std::move(title)), total_(total), started_(system_clock().steady_now()), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (terminal_ && shown_ != 0) write_all(STDERR_FILENO, "\r\x1b[K");
}

void Progress::update(std::uint64_t done, std::string_view note) {
  const TimeNs now = system_clock().steady_now();
  if (!terminal_ || (now - shown_ < 100 * kMillisecond && done < total_)) return;
  shown_ = now;
  const double seconds = static_cast<double>(now - started_) / 1e9;
  const double share = total_ == 0 ? 0.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
  const double left = share > 0 ? seconds / share - seconds : 0.0;
  constexpr int kWidth = 24;
  const auto filled = static_cast<std::size_t>(share * kWidth);
  write_all(STDERR_FILENO,
            fmt::format("\r\x1b[K{} [{}{}] {:3.0f} %  {:.0f}/s  {} left  {}", title_, std::string(filled, '#'),
                        std::string(kWidth - filled, '.'), share * 100, seconds > 0 ? static_cast<double>(done) / seconds : 0.0,
                        human_duration_ns(static_cast<TimeNs>(left * 1e9)), note));
}

int exit_code(const Error& error) {
  switch (error.code) {
    case ErrorCode::kCancelled: return kInterrupted;
    case ErrorCode::kUnavailable: return kMissing;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kUnsupported:
    case ErrorCode::kCorrupt: return kUsage;
    case ErrorCode::kIo:
    case ErrorCode::kResourceExhausted:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kInternal: break;
  }
  return kFailed;
}

namespace {

int run_main(int argc, char** argv) {
  install_stop_signals();
  set_log_sink(text_log_sink());
  set_log_level(LogLevel::kWarn);
  CLI::App app(
      "Moru makes AI models small enough for the edge, proves that they are still right and fast, and runs them on fleets of nodes.",
      "moru");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("moru ") + MORU_VERSION);
  app.set_help_all_flag("--help-all", "Print the help of every command");
  std::function<Outcome()> run;
  for (const NounSpec* noun : all_nouns()) {
    CLI::App* sub = app.add_subcommand(std::string(noun->name), std::string(noun->doc));
    noun->add(*sub, &run);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 reports by exceptions; help and version are exit code 0 there.
    const int code = app.exit(error);
    return code == 0 ? kDone : kUsage;
  }
  if (!run) {
    say(app.help());
    return kUsage;
  }
  const Outcome outcome = run();
  if (outcome) return *outcome;
  say(fmt::format("moru: {}", outcome.error().message));
  return exit_code(outcome.error());
}

}  // namespace
}  // namespace moru::cli

int main(int argc, char** argv) {
  try {
    return moru::cli::run_main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "moru: internal error: %s\n", error.what());
    return moru::cli::kFailed;
  }
}
