// SPDX-License-Identifier: Apache-2.0
// Models that are wrong in a known way, to prove that the gates of a rollout find them. Both work on float and on int8
// models: they change the constant weights of Conv and Gemm and nothing else.
#pragma once

#include <cstdint>
#include <functional>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::forge {

/// The weights of each Conv and Gemm in a random order: well-formed, and useless. Errors: kInvalidArgument when the graph
/// has no such weights.
Result<model::Graph> shuffle_weights(const model::Graph& graph, std::uint64_t seed);

/// Seeded normal noise on each weight, of `strength` times its tensor's standard deviation; int8 weights stay within
/// their tensor's largest magnitude. Strength 0 gives the same weights.
Result<model::Graph> add_weight_noise(const model::Graph& graph, double strength, std::uint64_t seed);

struct Degraded {
  model::Graph graph;
  double strength = 0.0;
  double accuracy = 0.0;  ///< in [0, 1]
};

/// Noise of the strength that takes `drop_points` off the accuracy of the graph, found by bisection: at most 16 calls of
/// `accuracy`, which gives a share in [0, 1]. It stops within `tolerance_points`.
/// Errors: kInvalidArgument when no strength up to 4 costs that much; those of `accuracy`.
Result<Degraded> degrade_weights(const model::Graph& graph, double drop_points, std::uint64_t seed,
                                 const std::function<Result<double>(const model::Graph&)>& accuracy, double tolerance_points = 0.3);

}  // namespace moru::forge
