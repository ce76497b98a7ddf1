// SPDX-License-Identifier: Apache-2.0
#include "solutions/factory/demo.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
#include "runtime/measure/machine.h"
#include "solutions/factory/evaluate.h"
#include "solutions/factory/prepare.h"

namespace moru::factory {
namespace {

/// The second half of the job: the lines run, and releases are offered to them.
class LiveLine {
 public:
  LiveLine(const DemoOptions& options, const DemoEvents& events, Prepared prepared, Report& report)
      : options_(options), events_(events), prepared_(std::move(prepared)), report_(report) {}

  Status run() {
    MORU_RETURN_IF_ERROR(timed_step(events_, report_, "Start the hub and two nodes", [this] { return start(); }));
    MORU_RETURN_IF_ERROR(timed_step(events_, report_, "Run the lines and update them", [this] { return update(); }));
    return timed_step(events_, report_, "Collect what the hub has stored", [this] { return collect(); });
  }

  std::unique_ptr<Line> take_line() { return std::move(line_); }

 private:
  Result<std::string> start() {
    const Path home = options_.home / "run";
    std::error_code error;
    std::filesystem::remove_all(home, error);
    if (error) return fail(ErrorCode::kIo, fmt::format("remove '{}': {}", home.string(), error.message()));
    MORU_ASSIGN_OR_RETURN(line_, Line::start({.home = home,
                                              .programs = options_.programs,
                                              .dataset = options_.dataset,
                                              .release_key = prepared_.public_key,
                                              .rate_hz = options_.rate_hz,
                                              .swap_fraction = options_.swap_fraction,
                                              .seed = options_.seed,
                                              .port = options_.port}));
    events_.say(fmt::format("page: {}", line_->page_url()));
    return std::string("both joined with a one-time token and are online");
  }

  /// The rollouts one after the other while the lines run; then the rest of the items.
  Result<std::string> update() {
    for (const auto& offered : prepared_.releases) MORU_RETURN_IF_ERROR(offer(offered));
    MORU_RETURN_IF_ERROR(run_out());
    return fmt::format("{} items a node asked for", options_.items);
  }

  Status offer(const OfferedRelease& offered) {
    const TimeNs now = system_clock().steady_now();
    MORU_RETURN_IF_ERROR(line_->push_release(offered.bundle));
    MORU_ASSIGN_OR_RETURN(const auto result, line_->roll_out(offered.number, {{"soak_items", 100}}));
    // The lines start with the first release.
    if (lines_started_ == 0) lines_started_ = system_clock().steady_now();
    RolloutFigures figures{
        .release = offered.number, .what = offered.what, .outcome = result.state, .reason = result.reason, .seconds = result.seconds};
    if (result.refused) figures.outcome = "refused";
    figures.started_s = std::max(0.0, static_cast<double>(now - lines_started_) / 1e9);
    figures.shadow_items = json_or(result.gate, "items", std::uint64_t{0});
    figures.drop = json_or(result.gate, "drop", 0.0);
    figures.drop_low = json_or(result.gate, "drop_low", 0.0);
    figures.drop_high = json_or(result.gate, "drop_high", 0.0);
    figures.expected = figures.outcome == offered.expected;
    events_.say(fmt::format("release {} ({}): {} after {:.1f} s: {}", figures.release, figures.what, figures.outcome, figures.seconds,
                            figures.reason));
    report_.rollouts.push_back(std::move(figures));
    return {};
  }

  Status run_out() {
    MORU_ASSIGN_OR_RETURN(const auto states, line_->node_states());
    std::uint64_t least = options_.items;
    for (const auto& state : states) least = std::min(least, state.items);
    const double left_s = static_cast<double>(options_.items - least) / options_.rate_hz;
    return line_->drain(options_.items, static_cast<TimeNs>(left_s * 1e9) + 60 * kSecond,
                        [this](std::uint64_t items) { events_.progress(items, options_.items, ""); });
  }

  Result<std::string> collect() {
    MORU_ASSIGN_OR_RETURN(const auto records, line_->records());
    MORU_ASSIGN_OR_RETURN(const auto states, line_->node_states());
    MORU_RETURN_IF_ERROR(evaluate_line(records, states, report_));
    return fmt::format("{} records", records.size());
  }

  const DemoOptions& options_;
  const DemoEvents& events_;
  Prepared prepared_;
  Report& report_;
  std::unique_ptr<Line> line_;
  TimeNs lines_started_ = 0;
};

}  // namespace

Result<DemoRun> run_demo(const DemoOptions& options, const DemoEvents& events) {
  DemoRun run;
  run.report.machine = runtime::to_string(runtime::describe_machine());
  run.report.seed = options.seed;
  MORU_RETURN_IF_ERROR(make_folders(options.home, 0700));
  MORU_ASSIGN_OR_RETURN(auto prepared, prepare_releases(options, events, run.report));
  if (!run.report.budget_met) return run;
  LiveLine live(options, events, std::move(prepared), run.report);
  MORU_RETURN_IF_ERROR(live.run());
  run.line = live.take_line();
  return run;
}

}  // namespace moru::factory
