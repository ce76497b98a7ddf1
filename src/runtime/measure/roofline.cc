// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/roofline.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.h"
#include "core/text.h"
#include "model/inspect/box_text.h"

namespace moru::runtime {
namespace {

constexpr double kNs = 1e9;
constexpr const char* kProducts = "products";

/// All bytes that a run touches.
std::size_t touched_bytes(const engine::Plan& plan) {
  std::size_t bytes = plan.weight_bytes() + plan.arena_bytes();
  for (const engine::Buffer& buffer : plan.buffers()) {
    if (buffer.kind == engine::Buffer::Kind::kInput || buffer.kind == engine::Buffer::Kind::kOutput) bytes += buffer.bytes;
  }
  return bytes;
}

void set_limit(const Peaks& peaks, std::size_t touched, RooflineStep* step) {
  const auto& [read, written] = step->work.traffic;
  const MemoryLevel& far = peaks.level_for(touched);
  const MemoryLevel& near = peaks.level_for(step->bytes());
  const double weights = static_cast<double>(step->work.weight_bytes) / far.bytes_per_second * kNs;
  const double activations = static_cast<double>(read + written) / near.bytes_per_second * kNs;
  const double products =
      static_cast<double>(step->work.macs) / (step->work.on_levels ? peaks.level_macs_per_second : peaks.float_macs_per_second) * kNs;
  step->limit_ns = std::max(products, weights + activations);
  step->bound = products >= weights + activations ? kProducts : weights > activations ? far.name : near.name;
}

void add_to(const RooflineStep& step, RooflineStep* total) {
  total->work.macs += step.work.macs;
  total->work.weight_bytes += step.work.weight_bytes;
  total->work.traffic.read += step.work.traffic.read;
  total->work.traffic.written += step.work.traffic.written;
  total->ns += step.ns;
  total->limit_ns += step.limit_ns;
}

double median(std::vector<TimeNs>* samples) {
  if (samples->empty()) return 0;
  const auto middle = samples->begin() + static_cast<std::ptrdiff_t>(samples->size() / 2);
  std::ranges::nth_element(*samples, middle);
  return static_cast<double>(*middle);
}

/// What time_steps() measures of a step that does nothing.
double clock_ns() {
  constexpr int kSamples = 1001;
  std::vector<TimeNs> samples(kSamples);
  for (TimeNs& sample : samples) {
    const TimeNs start = system_clock().steady_now();
    sample = system_clock().steady_now() - start;
  }
  return median(&samples);
}

Json json_of(const RooflineStep& step) {
  return {{"macs", step.work.macs},
          {"weight_bytes", step.work.weight_bytes},
          {"read_bytes", step.work.traffic.read},
          {"written_bytes", step.work.traffic.written},
          {"us", step.ns / 1e3},
          {"limit_us", step.limit_ns / 1e3},
          {"share", step.share()},
          {"lost_us", step.lost_ns() / 1e3}};
}

constexpr std::size_t kNameColumns = 80;

std::string line(const RooflineStep& step, double all_lost_ns, std::size_t ops_width) {
  return fmt::format(
      "{:>9.2f} {:>5.0f} {:>9.2f} {:>9.2f} {:>5.0f} {:<13} {:>8} {:>8} {:>8} {:>8}  {:{}}  {}\n", step.lost_ns() / 1e3,
      all_lost_ns > 0 ? 100 * step.lost_ns() / all_lost_ns : 0.0, step.ns / 1e3, step.limit_ns / 1e3, 100 * step.share(), step.bound,
      step.work.macs < 1000 ? std::to_string(step.work.macs) : fmt::format("{:.1f}k", static_cast<double>(step.work.macs) / 1e3),
      human_bytes(step.work.weight_bytes), human_bytes(step.work.traffic.read), human_bytes(step.work.traffic.written), step.work.ops,
      ops_width, model::clean_label(step.name, kNameColumns));
}

}  // namespace

Roofline compare_with_limits(const engine::Plan& plan, std::span<const double> step_ns, const Peaks& peaks) {
  const std::size_t touched = touched_bytes(plan);
  Roofline roofline;
  for (std::size_t i = 0; i < plan.steps().size(); ++i) {
    const engine::PlannedStep& planned = plan.steps()[i];
    RooflineStep step{.name = planned.name, .work = planned.work, .ns = step_ns[i]};
    set_limit(peaks, touched, &step);
    add_to(step, &roofline.total);
    roofline.steps.push_back(std::move(step));
  }
  roofline.total.name = "all steps";
  std::ranges::sort(roofline.steps, std::ranges::greater{}, &RooflineStep::lost_ns);
  return roofline;
}

Roofline measure_roofline(engine::Context& context, std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs,
                          const Peaks& peaks, TimeNs time) {
  constexpr std::int64_t kLeastRuns = 15;
  constexpr std::int64_t kMostRuns = 20'000;  // their times are kept, 8 bytes a step
  Clock& clock = system_clock();
  std::vector<TimeNs> runs;
  const TimeNs start = clock.steady_now();
  for (std::int64_t i = 0; i < kMostRuns && (i < kLeastRuns || clock.steady_now() - start < time / 2); ++i) {
    const TimeNs from = clock.steady_now();
    context.run(inputs, outputs);
    runs.push_back(clock.steady_now() - from);
  }
  const double clock_before = measure_clock_hz(context.plan().kernels());
  const auto medians = context.time_steps(inputs, outputs, static_cast<int>(runs.size()));
  const double clock_after = measure_clock_hz(context.plan().kernels());
  const double overhead = clock_ns();
  std::vector<double> step_ns;
  for (const std::int64_t ns : medians) step_ns.push_back(std::max(0.0, static_cast<double>(ns) - overhead));
  Roofline roofline = compare_with_limits(context.plan(), step_ns, peaks);
  roofline.run_ns = median(&runs);
  roofline.clock_hz = (clock_before + clock_after) / 2;
  return roofline;
}

Json to_json(const Roofline& roofline) {
  Json steps = Json::array();
  for (const RooflineStep& step : roofline.steps) {
    Json row = json_of(step);
    row["name"] = step.name;
    row["ops"] = step.work.ops;
    row["on"] = step.work.macs == 0 ? Json() : Json(step.work.on_levels ? "levels" : "floats");
    row["bound"] = step.bound;
    steps.push_back(std::move(row));
  }
  return {{"run_us", roofline.run_ns / 1e3},
          {"clock_ghz", roofline.clock_hz / 1e9},
          {"total", json_of(roofline.total)},
          {"steps", std::move(steps)}};
}

std::string to_table(const Roofline& roofline) {
  std::size_t ops_width = 3;
  for (const RooflineStep& step : roofline.steps) ops_width = std::max(ops_width, step.work.ops.size());
  std::string text = fmt::format("{:>9} {:>5} {:>9} {:>9} {:>5} {:<13} {:>8} {:>8} {:>8} {:>8}  {:{}}  {}\n", "lost us", "%", "us",
                                 "limit us", "share", "limit is", "MACs", "weights", "in", "out", "ops", ops_width, "step");
  for (const RooflineStep& step : roofline.steps) text += line(step, roofline.total.lost_ns(), ops_width);
  return text + line(roofline.total, roofline.total.lost_ns(), ops_width);
}

}  // namespace moru::runtime
