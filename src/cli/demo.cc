// SPDX-License-Identifier: Apache-2.0
#include "solutions/factory/demo.h"

#include <CLI/CLI.hpp>
#include <optional>

#include "cli/noun.h"
#include "core/json.h"
#include "core/process.h"
#include "forge/data/dataset.h"

namespace moru::cli {
namespace {

struct FactoryFlags {
  factory::DemoOptions options;
  std::string dataset;
  std::string report_folder = ".";
  bool no_wait = false;
  Format format = Format::kText;
};

/// The folder of this program: moru-agent lies beside it.
Result<Path> program_folder() {
  std::error_code error;
  const Path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return fail(ErrorCode::kInternal, fmt::format("own program's path: {}", error.message()));
  return self.parent_path();
}

factory::DemoEvents console_events(std::optional<Progress>& bar, std::string& title) {
  return {
      .step =
          [&bar, &title](std::string_view name) {
            bar.reset();
            title = std::string(name);
            say(fmt::format("== {}", name));
          },
      .step_done =
          [&bar](const factory::StepTime& step) {
            bar.reset();
            say(fmt::format("   {:.1f} s{}{}", step.seconds, step.note.empty() ? "" : ": ", step.note));
          },
      .say =
          [&bar](std::string_view line) {
            bar.reset();
            say(fmt::format("   {}", line));
          },
      .progress =
          [&bar, &title](std::uint64_t done, std::uint64_t total, std::string_view note) {
            if (!bar) bar.emplace("   " + title, total);
            bar->update(done, note);
          },
  };
}

Status write_reports(const factory::Report& report, const Path& folder) {
  MORU_RETURN_IF_ERROR(make_folders(folder));
  MORU_RETURN_IF_ERROR(write_file_atomic(folder / "report.html", factory::to_html(report)));
  return write_file_atomic(folder / "report.json", factory::to_json(report).dump(2) + "\n");
}

Outcome run_factory(FactoryFlags& flags) {
  MORU_ASSIGN_OR_RETURN(flags.options.programs, program_folder());
  flags.options.home = moru_home() / "demo" / "factory";
  flags.options.dataset = flags.dataset.empty() ? forge::fashion_mnist_folder() : Path(flags.dataset);
  std::optional<Progress> bar;
  std::string title;
  MORU_ASSIGN_OR_RETURN(auto run, factory::run_demo(flags.options, console_events(bar, title)));
  bar.reset();
  MORU_RETURN_IF_ERROR(write_reports(run.report, flags.report_folder));
  const Path page = std::filesystem::absolute(Path(flags.report_folder) / "report.html");
  if (flags.format == Format::kJson) {
    print_json(factory::to_json(run.report));
  } else {
    print_text(factory::to_text(run.report) + fmt::format("\nReport: {}\n", page.string()));
  }
  if (run.line && !flags.no_wait) {
    say(fmt::format("\nThe page: {}\nStop with Ctrl-C.", run.line->page_url()));
    while (!wait_for_stop(kSecond)) MORU_RETURN_IF_ERROR(run.line->check_alive());
  }
  return run.report.broken_promises().empty() ? kDone : kNotMet;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  app.require_subcommand(1);
  CLI::App* command = app.add_subcommand("factory", "Visual inspection on a line: train, compress, release, run on two nodes, update");
  command->footer("Example:\n  moru demo factory --items 2000 --no-wait");
  static FactoryFlags flags;
  command->add_option("--items", flags.options.items, "Items that each node inspects")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  command->add_option("--rate", flags.options.rate_hz, "Items per second and node")
      ->check(CLI::Range(1.0, 10'000.0))
      ->capture_default_str();
  command->add_option("--seed", flags.options.seed, "Of the split, the training and the swapped items")->capture_default_str();
  command->add_option("--threads", flags.options.threads, "Of the training")->check(CLI::Range(1, 64))->capture_default_str();
  command->add_option("--port", flags.options.port, "Of the page; 0: a free one")->check(CLI::Range(0, 65535))->capture_default_str();
  command->add_option("--data", flags.dataset, "Folder of the IDX files; Debian's dataset-fashion-mnist unless told");
  command->add_option("--report", flags.report_folder, "Folder for report.html and report.json")->capture_default_str();
  command->add_flag("--fresh", flags.options.fresh, "Train anew instead of taking the cached models");
  command->add_flag("--no-wait", flags.no_wait, "End after the summary instead of serving the page until Ctrl-C");
  add_format_option(*command, &flags.format);
  command->callback([run] { *run = [] { return run_factory(flags); }; });
}

}  // namespace

extern const NounSpec kNoun_demo;
const NounSpec kNoun_demo{.name = "demo", .doc = "Whole solutions, end to end, on this machine", .add = add};

}  // namespace moru::cli
