// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/json.h"

namespace moru::runtime {
namespace {

double microseconds(TimeNs ns) { return static_cast<double>(ns) / 1e3; }

/// Nearest-rank quantile of sorted samples.
TimeNs quantile(const std::vector<TimeNs>& sorted, double q) {
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(sorted.size())));
  return sorted[std::max<std::size_t>(rank, 1) - 1];
}

Status check(const LatencyOptions& options) {
  if (options.warmup_runs >= 0 && options.min_runs >= 1 && options.max_runs >= options.min_runs && options.max_time >= options.min_time)
    return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("measure: found {} to {} runs after {} of warm-up, {} to {} ns, expected at least one run and limits in order",
                          options.min_runs, options.max_runs, options.warmup_runs, options.min_time, options.max_time));
}

}  // namespace

Latency summarise(std::vector<TimeNs> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  return {.runs = static_cast<std::int64_t>(samples.size()),
          .min = samples.front(),
          .p50 = quantile(samples, 0.5),
          .p90 = quantile(samples, 0.9),
          .p99 = quantile(samples, 0.99),
          .max = samples.back(),
          .mean = std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size())};
}

Result<Latency> measure_latency(const std::function<Status()>& run, const LatencyOptions& options, Clock& clock) {
  MORU_RETURN_IF_ERROR(check(options));
  const TimeNs began = clock.steady_now();
  for (std::int64_t i = 0; i < options.warmup_runs && clock.steady_now() - began < options.max_time; ++i) MORU_RETURN_IF_ERROR(run());
  std::vector<TimeNs> samples;
  samples.reserve(static_cast<std::size_t>(options.max_runs));  // so that no run pays for growth
  const TimeNs start = clock.steady_now();
  TimeNs before = start;
  while (std::ssize(samples) < options.max_runs) {
    MORU_RETURN_IF_ERROR(run());
    const TimeNs after = clock.steady_now();
    samples.push_back(after - before);
    const TimeNs spent = after - start;
    if (spent >= options.max_time || (spent >= options.min_time && std::ssize(samples) >= options.min_runs)) break;
    before = clock.steady_now();
  }
  return summarise(std::move(samples));
}

Result<Latency> measure_session(Session& session, std::span<const model::Tensor> inputs, const LatencyOptions& options,
                                std::vector<model::Tensor>* outputs) {
  MORU_ASSIGN_OR_RETURN(auto made, session.run_once(inputs));
  std::vector<model::ConstTensorView> input_views;
  for (const auto& input : inputs) input_views.push_back(input.view());
  std::vector<model::TensorView> output_views;
  for (auto& output : made) output_views.push_back(output.mutable_view());
  MORU_ASSIGN_OR_RETURN(const auto latency, measure_latency([&] { return session.run(input_views, output_views); }, options));
  if (outputs != nullptr) *outputs = std::move(made);
  return latency;
}

Json to_json(const Latency& latency) {
  return {{"runs", latency.runs},
          {"min_us", microseconds(latency.min)},
          {"p50_us", microseconds(latency.p50)},
          {"p90_us", microseconds(latency.p90)},
          {"p99_us", microseconds(latency.p99)},
          {"max_us", microseconds(latency.max)},
          {"mean_us", latency.mean / 1e3}};
}

}  // namespace moru::runtime
