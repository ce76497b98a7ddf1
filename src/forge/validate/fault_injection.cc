// SPDX-License-Identifier: Apache-2.0
#include "forge/validate/fault_injection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/random.h"

namespace moru::forge {
namespace {

using model::DType;
using model::Graph;
using model::Tensor;
using model::ValueId;

/// The constants that are weights of Conv and Gemm, also behind a DequantizeLinear, in the order of the graph.
std::vector<ValueId> weight_constants(const Graph& graph) {
  const std::vector<std::int32_t> producers = graph.producers();
  std::vector<ValueId> constants;
  std::set<ValueId> seen;
  for (const model::Node& node : graph.nodes()) {
    if ((node.op != "Conv" && node.op != "Gemm") || node.inputs.size() < 2) continue;
    ValueId id = node.inputs[1];
    const std::int32_t producer = id == model::kNoValue ? -1 : producers[static_cast<std::size_t>(id)];
    if (producer >= 0 && graph.nodes()[static_cast<std::size_t>(producer)].op == "DequantizeLinear")
      id = graph.nodes()[static_cast<std::size_t>(producer)].inputs[0];
    const Tensor* tensor = id == model::kNoValue ? nullptr : graph.initializer(id);
    if (tensor != nullptr && (tensor->dtype() == DType::kFloat32 || tensor->dtype() == DType::kInt8) && seen.insert(id).second)
      constants.push_back(id);
  }
  return constants;
}

/// A copy of the graph in which `change(tensor)` was done to a copy of each weight.
template <class Change>
Result<Graph> with_weights(const Graph& graph, const Change& change) {
  const std::vector<ValueId> constants = weight_constants(graph);
  if (constants.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("model '{}': found no constant weights of Conv or Gemm, expected some to change", graph.name));
  }
  Graph changed = graph;
  for (const ValueId id : constants) {
    Tensor tensor = graph.initializer(id)->clone();
    if (tensor.dtype() == DType::kFloat32) {
      change(tensor.mutable_data<float>());
    } else {
      change(tensor.mutable_data<std::int8_t>());
    }
    changed.set_initializer(id, std::move(tensor));
  }
  return changed;
}

template <class T>
void add_noise(std::span<T> values, double strength, Rng& random) {
  double sum = 0.0;
  double squares = 0.0;
  double largest = 0.0;
  for (const T value : values) {
    const auto x = static_cast<double>(value);
    sum += x;
    squares += x * x;
    largest = std::max(largest, std::abs(x));
  }
  const auto count = static_cast<double>(std::max<std::size_t>(values.size(), 1));
  const double deviation = std::sqrt(std::max(0.0, squares / count - sum / count * (sum / count)));
  for (T& value : values) {
    const double noisy = static_cast<double>(value) + strength * deviation * random.normal();
    if constexpr (std::is_same_v<T, std::int8_t>) {
      value = static_cast<std::int8_t>(std::clamp(std::nearbyint(noisy), -largest, std::min(largest, 127.0)));
    } else {
      value = static_cast<T>(noisy);
    }
  }
}

}  // namespace

Result<Graph> shuffle_weights(const Graph& graph, std::uint64_t seed) {
  Rng random(seed);
  return with_weights(graph, [&](auto values) { random.shuffle(values); });
}

Result<Graph> add_weight_noise(const Graph& graph, double strength, std::uint64_t seed) {
  Rng random(seed);
  return with_weights(graph, [&](auto values) { add_noise(values, strength, random); });
}

Result<Degraded> degrade_weights(const Graph& graph, double drop_points, std::uint64_t seed,
                                 const std::function<Result<double>(const Graph&)>& accuracy, double tolerance_points) {
  constexpr int kMostCalls = 16;
  constexpr double kStrongest = 4.0;
  MORU_ASSIGN_OR_RETURN(const double start, accuracy(graph));
  double low = 0.0;
  double high = 0.25;
  bool bounded = false;
  Degraded best{.graph = graph, .strength = 0.0, .accuracy = start};
  double best_error = drop_points;
  for (int call = 1; call < kMostCalls && best_error > tolerance_points; ++call) {
    // Doubles until the noise costs too much, then halves the interval.
    const double strength = bounded ? (low + high) / 2 : high;
    MORU_ASSIGN_OR_RETURN(Graph noisy, add_weight_noise(graph, strength, seed));
    MORU_ASSIGN_OR_RETURN(const double found, accuracy(noisy));
    const double drop = 100.0 * (start - found);
    if (std::abs(drop - drop_points) < best_error) {
      best_error = std::abs(drop - drop_points);
      best = {.graph = std::move(noisy), .strength = strength, .accuracy = found};
    }
    if (drop > drop_points) {
      high = strength;
      bounded = true;
    } else {
      low = strength;
      if (!bounded && strength >= kStrongest) {
        return fail(ErrorCode::kInvalidArgument, fmt::format("degrade '{}': noise of strength {} costs {:.1f} points, expected {:.1f}",
                                                             graph.name, strength, drop, drop_points));
      }
      if (!bounded) high = strength * 2;
    }
  }
  return best;
}

}  // namespace moru::forge
