// SPDX-License-Identifier: Apache-2.0
// How good and how fast a classifier is, and two of them side by side.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_fwd.h"
#include "core/result.h"
#include "forge/compress/compress.h"
#include "forge/data/dataset.h"
#include "runtime/backends/backend.h"
#include "runtime/measure/latency.h"

namespace moru::forge {

/// What a classifier said about each image of a set.
struct Evaluation {
  std::int64_t classes = 0;
  std::vector<float> probabilities;     ///< [images, classes]
  std::vector<std::uint8_t> predicted;  ///< arg max, [images]
  double top1 = 0.0;                    ///< share of images whose arg max is the label
  std::span<const float> row(std::int64_t image) const {
    return std::span(probabilities).subspan(static_cast<std::size_t>(image * classes), static_cast<std::size_t>(classes));
  }
};

/// Runs the whole set, `batch` images at a time. The session has one input float32 [N, 1, H, W] and one output float32
/// [N, classes]. Errors: kInvalidArgument when it has not; those of run(). Cost: one inference an image.
Result<Evaluation> evaluate(runtime::Session& session, const ImageSet& set, double mean, double std, std::int64_t batch = 100);

/// Share of images on which both say the same.
double agreement(const Evaluation& a, const Evaluation& b);

struct ModelFigures {
  std::uint64_t size_bytes = 0;
  double top1 = 0.0;
  runtime::Latency latency;  ///< one image at a time
};

struct Comparison {
  ModelFigures original;
  ModelFigures compressed;
  double agreement = 0.0;
  double drop_points = 0.0;  ///< 100 * (original top-1 - compressed top-1)
  double size_ratio = 0.0;
  double speed_up = 0.0;  ///< original p50 / compressed p50
  bool budget_met = false;
  std::vector<std::string> violations;  ///< a sentence for each part of the budget that was not met
  Evaluation original_evaluation;
  Evaluation compressed_evaluation;
};

struct ComparisonOptions {
  std::string backend = "onnxruntime";
  int threads = 1;
  std::int64_t latency_runs = 2000;  ///< for each model, in turns of 100 so that both see the same machine
  /// Called with a share in [0, 1]; false ends it with kCancelled.
  std::function<bool(double)> progress = {};
};

/// Measures both models (ONNX bytes) on `set` and holds the second against the budget.
Result<Comparison> compare_models(std::string_view original, std::string_view compressed, const ImageSet& set, double mean, double std, const Budget& budget,
                                  const ComparisonOptions& options = {});

/// Fills drop, ratio, speed-up, violations and verdict from the figures.
void judge(const Budget& budget, Comparison* comparison);

/// accuracy_float, accuracy_int8, size_float_bytes, size_int8_bytes, latencies in microseconds, agreement, verdict.
Json to_json(const Comparison& comparison);
/// The table that people read; ends with a new line.
std::string to_table(const Comparison& comparison);

}  // namespace moru::forge
