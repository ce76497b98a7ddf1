// SPDX-License-Identifier: Apache-2.0
#include "forge/compress/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

#include "model/formats/onnx/onnx.h"
#include "model/ops/op.h"
#include "runtime/backends/backend.h"

namespace moru::forge {
namespace {

using model::Graph;
using model::Tensor;

constexpr std::size_t kBins = 2048;

/// What was seen of one value.
struct Seen {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
  std::array<std::uint64_t, kBins> bins{};
  std::uint64_t count = 0;

  double width() const { return (static_cast<double>(high) - static_cast<double>(low)) / static_cast<double>(kBins); }
  double centre(std::size_t bin) const { return static_cast<double>(low) + (static_cast<double>(bin) + 0.5) * width(); }
};

Status note_extremes(std::string_view name, std::span<const float> data, Seen* seen) {
  for (const float x : data) {
    if (!std::isfinite(x))
      return fail(ErrorCode::kInvalidArgument, fmt::format("calibrate: value '{}' holds {}, expected finite numbers", name, x));
    seen->low = std::min(seen->low, x);
    seen->high = std::max(seen->high, x);
  }
  return {};
}

void note_histogram(std::span<const float> data, Seen* seen) {
  const double width = seen->width();
  for (const float x : data) {
    const double at = width > 0.0 ? (static_cast<double>(x) - static_cast<double>(seen->low)) / width : 0.0;
    ++seen->bins[std::min(static_cast<std::size_t>(std::max(at, 0.0)), kBins - 1)];
  }
  seen->count += data.size();
}

ValueRange with_zero(double low, double high) { return {static_cast<float>(std::min(low, 0.0)), static_cast<float>(std::max(high, 0.0))}; }

ValueRange percentile_range(const Seen& seen, double percentile) {
  const double outside = (1.0 - percentile / 100.0) * static_cast<double>(seen.count);
  std::size_t first = 0;
  std::size_t last = kBins - 1;
  for (double sum = 0.0; first < last && (sum += static_cast<double>(seen.bins[first])) <= outside;) ++first;
  for (double sum = 0.0; last > first && (sum += static_cast<double>(seen.bins[last])) <= outside;) --last;
  return with_zero(static_cast<double>(seen.low) + static_cast<double>(first) * seen.width(),
                   static_cast<double>(seen.low) + static_cast<double>(last + 1) * seen.width());
}

/// Mean squared error of values that are rounded to `levels` steps of [low, high] and clipped to it.
double squared_error(const Seen& seen, double low, double high, int levels) {
  const double scale = (high - low) / (levels - 1);
  double sum = 0.0;
  for (std::size_t bin = 0; bin < kBins; ++bin) {
    if (seen.bins[bin] == 0) continue;
    const double x = seen.centre(bin);
    const double clipped = std::clamp(x, low, high);
    // Inside the range the rounding error is spread evenly over a step: variance scale^2 / 12.
    const double error = x - clipped;
    sum += static_cast<double>(seen.bins[bin]) * (error * error + scale * scale / 12.0);
  }
  return sum;
}

/// Shrinks the whole range towards zero in steps of 1 % and keeps the best.
ValueRange mse_range(const Seen& seen, int levels) {
  const double low = std::min(0.0, static_cast<double>(seen.low));
  const double high = std::max(0.0, static_cast<double>(seen.high));
  double best = std::numeric_limits<double>::infinity();
  double best_share = 1.0;
  for (int percent = 100; percent >= 30; --percent) {
    const double share = percent / 100.0;
    const double error = squared_error(seen, low * share, high * share, levels);
    if (error < best) {
      best = error;
      best_share = share;
    }
  }
  return with_zero(low * best_share, high * best_share);
}

ValueRange range_of(const Seen& seen, const CalibrationOptions& options) {
  switch (options.method) {
    case RangeMethod::kMinMax: break;
    case RangeMethod::kPercentile: return percentile_range(seen, options.percentile);
    case RangeMethod::kMse: return mse_range(seen, options.levels);
  }
  return with_zero(static_cast<double>(seen.low), static_cast<double>(seen.high));
}

}  // namespace

RunnerFactory reference_runner() {
  return [](const Graph& graph) -> Result<Runner> {
    auto shared = std::make_shared<const Graph>(graph);
    return Runner([shared](std::span<const Tensor> inputs) { return model::evaluate(*shared, inputs); });
  };
}

RunnerFactory backend_runner(std::string backend, int threads) {
  return [backend = std::move(backend), threads](const Graph& graph) -> Result<Runner> {
    MORU_ASSIGN_OR_RETURN(const std::string bytes, model::write_onnx(graph));
    MORU_ASSIGN_OR_RETURN(auto session, runtime::load_session(backend, bytes, {.threads = threads}));
    auto shared = std::shared_ptr<runtime::Session>(std::move(session));
    return Runner([shared](std::span<const Tensor> inputs) { return shared->run_once(inputs); });
  };
}

Result<Ranges> calibrate(const Graph& graph, std::span<const std::string> values, std::span<const std::vector<Tensor>> batches,
                         const RunnerFactory& make_runner, const CalibrationOptions& options) {
  if (batches.empty()) return fail(ErrorCode::kInvalidArgument, "calibrate: found no data, expected at least one batch");
  Graph probe = graph;
  probe.outputs.clear();
  Ranges ranges;
  std::map<std::string, Seen, std::less<>> seen;
  std::vector<std::pair<std::string, int>> sources;  // name, and the input it is (-1: an output of the probe)
  for (const std::string& name : values) {
    const auto id = graph.find_value(name);
    if (!id)
      return fail(ErrorCode::kInvalidArgument, fmt::format("calibrate: found no value '{}' in model '{}', expected one", name, graph.name));
    const auto input = std::ranges::find(graph.inputs, *id);
    sources.emplace_back(name, input == graph.inputs.end() ? -1 : static_cast<int>(input - graph.inputs.begin()));
    if (input == graph.inputs.end()) probe.outputs.push_back(*id);
    seen[name];
  }
  Runner run;
  if (!probe.outputs.empty()) {
    MORU_ASSIGN_OR_RETURN_IN("calibrate", run, make_runner(probe));
  }
  for (const bool histogram : {false, true}) {
    for (const std::vector<Tensor>& batch : batches) {
      std::vector<Tensor> outputs;
      if (run) {
        MORU_ASSIGN_OR_RETURN_IN("calibrate", outputs, run(batch));
      }
      std::size_t next = 0;
      for (const auto& [name, input] : sources) {
        const Tensor& tensor = input >= 0 ? batch[static_cast<std::size_t>(input)] : outputs[next++];
        if (tensor.dtype() != model::DType::kFloat32) {
          return fail(ErrorCode::kInvalidArgument,
                      fmt::format("calibrate: value '{}' is {}, expected float32", name, to_string(tensor.dtype())));
        }
        if (histogram) {
          note_histogram(tensor.data<float>(), &seen[name]);
        } else {
          MORU_RETURN_IF_ERROR(note_extremes(name, tensor.data<float>(), &seen[name]));
        }
      }
    }
  }
  for (const auto& [name, value] : seen) ranges.emplace(name, range_of(value, options));
  return ranges;
}

}  // namespace moru::forge
