// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker/hosted_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/random.h"
#include "runtime/backends/ports.h"
#include "runtime/measure/compare.h"

namespace moru::runtime {
namespace {

std::vector<std::string> described(std::span<const Port> ports) {
  std::vector<std::string> all;
  for (const Port& port : ports) all.push_back(describe(port));
  return all;
}

/// A batch that nothing takes would be measured as another.
Status check_batch(std::span<const Port> inputs, std::int64_t batch) {
  if (batch == 1) return {};
  for (const Port& port : inputs) {
    const bool open = std::ranges::any_of(port.shape, [](const model::Dim& dim) { return !dim.known(); });
    if (open || (!port.shape.empty() && port.shape[0].value == batch)) return {};
  }
  return fail(ErrorCode::kInvalidArgument, fmt::format("batch {}: found inputs of fixed extents ({}), expected one that is open", batch,
                                                       fmt::join(described(inputs), ", ")));
}

/// Loads the backend's library.
Result<BackendInfo> ready(const BackendChoice& choice) {
  BackendInfo info = choice.backend->info();
  if (!info.available) return fail(ErrorCode::kUnavailable, info.reason);
  return info;
}

}  // namespace

Status try_model(const LoadRequest& request) {
  MORU_ASSIGN_OR_RETURN(const BackendChoice choice, choose_backend(request.backend));
  MORU_RETURN_IF_ERROR(ready(choice));
  MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(request.model));
  MORU_RETURN_IF_ERROR(load_session(request.backend, bytes, {.threads = request.threads, .settings = request.settings}));
  return {};
}

Result<HostedModel> HostedModel::load(const LoadRequest& request) {
  MORU_ASSIGN_OR_RETURN(const BackendChoice choice, choose_backend(request.backend));
  MORU_ASSIGN_OR_RETURN(const BackendInfo info, ready(choice));
  MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(request.model));
  HostedModel hosted;
  const TimeNs before = system_clock().steady_now();
  MORU_ASSIGN_OR_RETURN(hosted.session_, load_session(request.backend, bytes, {.threads = request.threads, .settings = request.settings}));
  hosted.loaded_.load_ms = static_cast<double>(system_clock().steady_now() - before) / 1e6;
  hosted.loaded_.device = !choice.device.empty() ? choice.device : info.devices.empty() ? "" : info.devices.front().name;
  hosted.loaded_.inputs = described(hosted.session_->inputs());
  hosted.loaded_.outputs = described(hosted.session_->outputs());
  hosted.dims_ = request.dims;
  MORU_RETURN_IF_ERROR(check_batch(hosted.session_->inputs(), request.dims.others));
  MORU_ASSIGN_OR_RETURN(hosted.inputs_, hosted.inputs_of(request.seed));
  return hosted;
}

Result<std::vector<model::Tensor>> HostedModel::inputs_of(std::uint64_t seed) const {
  Rng rng(seed);
  return random_inputs(session_->inputs(), dims_, rng);
}

Result<TimeNs> HostedModel::run_once() {
  const TimeNs before = system_clock().steady_now();
  MORU_RETURN_IF_ERROR(session_->run(input_views_, output_views_));
  return system_clock().steady_now() - before;
}

Status HostedModel::warm(const RunRequest& limits) {
  const TimeNs deadline = system_clock().steady_now() + limits.max_time;
  MORU_ASSIGN_OR_RETURN(outputs_, session_->run_once(inputs_));
  input_views_.clear();
  output_views_.clear();
  for (const auto& input : inputs_) input_views_.push_back(input.view());
  for (auto& output : outputs_) output_views_.push_back(output.mutable_view());
  for (std::int64_t i = 0; i < limits.max_runs && system_clock().steady_now() < deadline; ++i) MORU_RETURN_IF_ERROR(run_once());
  return {};
}

Result<std::vector<TimeNs>> HostedModel::run(const RunRequest& limits) {
  std::vector<TimeNs> samples;
  samples.reserve(static_cast<std::size_t>(std::max<std::int64_t>(limits.max_runs, 1)));  // so that no run pays for growth
  const TimeNs start = system_clock().steady_now();
  MORU_ASSIGN_OR_RETURN(const TimeNs first, run_once());
  // Somebody else had the machine before this slice, so the first run finds the caches cold. It is left out where it is one of many.
  constexpr TimeNs kMany = 10;
  if (first > limits.max_time / kMany) samples.push_back(first);
  while (std::ssize(samples) < limits.max_runs && (samples.empty() || system_clock().steady_now() - start < limits.max_time)) {
    MORU_ASSIGN_OR_RETURN(const TimeNs one, run_once());
    samples.push_back(one);
  }
  return samples;
}

Result<std::vector<model::Tensor>> HostedModel::answer(std::uint64_t seed) {
  MORU_ASSIGN_OR_RETURN(const auto inputs, inputs_of(seed));
  return session_->run_once(inputs);
}

}  // namespace moru::runtime
