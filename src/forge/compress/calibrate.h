// SPDX-License-Identifier: Apache-2.0
// Calibration: which range each activation of a float model takes on real data.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"
#include "model/tensor/tensor.h"

namespace moru::forge {

/// A range that a quantised activation must be able to hold. low <= 0 <= high, so that zero is exact (padding needs it).
struct ValueRange {
  float low = 0.0F;
  float high = 0.0F;
};
using Ranges = std::map<std::string, ValueRange, std::less<>>;

/// Runs a prepared model: inputs and outputs in the order of the graph's.
using Runner = std::function<Result<std::vector<model::Tensor>>(std::span<const model::Tensor> inputs)>;
/// Prepares a graph. The graph is borrowed for the call.
using RunnerFactory = std::function<Result<Runner>(const model::Graph& graph)>;

/// Runs by the ops' reference implementations: exact, slow, needs no library.
RunnerFactory reference_runner();
/// Runs by a backend ("onnxruntime").
RunnerFactory backend_runner(std::string backend, int threads);

enum class RangeMethod {
  kMinMax,      ///< all that was seen
  kPercentile,  ///< all but a small share at each end
  kMse,         ///< the clipping that makes the mean squared error of the rounded values smallest (histogram search)
};

struct CalibrationOptions {
  RangeMethod method = RangeMethod::kMse;
  double percentile = 99.99;  ///< of kPercentile: the share kept at each end, in percent
  int levels = 256;           ///< steps of the quantised type, for kMse
};

/// Ranges of the values named. Each element of `batches` holds one tensor for each graph input. Two passes over the
/// data: extremes, then histograms of 2048 bins.
/// Errors: kInvalidArgument for an unknown value, no data, or a value that is not finite.
Result<Ranges> calibrate(const model::Graph& graph, std::span<const std::string> values,
                         std::span<const std::vector<model::Tensor>> batches, const RunnerFactory& make_runner,
                         const CalibrationOptions& options = {});

}  // namespace moru::forge
