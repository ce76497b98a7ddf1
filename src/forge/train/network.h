// SPDX-License-Identifier: Apache-2.0
// The networks that recipes train: a list of layers that the trainer runs and that becomes a model graph.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "forge/train/trainer_api.h"

namespace moru::forge {

/// Layers in the order in which they run; the last one gives the logits. Extents of one input image: [C, H, W].
struct Network {
  std::string name;
  std::int64_t channels = 1;
  std::int64_t height = 28;
  std::int64_t width = 28;
  std::int64_t classes = 10;
  std::vector<MoruLayer> layers;
};

/// All weights of a network in one flat array, in the order of weight_table().
using Weights = std::vector<float>;

enum class WeightRole { kConv, kScale, kShift, kMean, kVariance, kLinear, kBias };

/// Where one weight tensor of a layer lies in the flat array.
struct WeightSlot {
  std::size_t layer = 0;
  WeightRole role = WeightRole::kConv;
  std::vector<std::int64_t> dims;  ///< [O, I/groups, k, k], [C], [O, I]
  std::size_t offset = 0;
  std::size_t count = 0;
};

/// The slots in order; the sum of their counts is the size of Weights.
std::vector<WeightSlot> weight_table(const Network& network);
std::size_t weight_count(const Network& network);
/// Weights that gradient descent learns: all but running means and variances.
std::size_t parameter_count(const Network& network);

/// Checks that every layer takes what the layers before it give and that the last gives [N, classes]. kInvalidArgument.
Status check_network(const Network& network);

/// Weights to begin with, by seed: normal with variance 2 / fan-in for conv (He et al., 2015), 1 / fan-in for linear.
Weights initial_weights(const Network& network, std::uint64_t seed);

/// SHA-256 over the weights' bytes, 64 hexadecimal digits.
std::string weights_digest(const Weights& weights);

/// Convolutions with batch-norm for images [N, 1, 28, 28] and `classes` classes.
Network cnn_small(std::int64_t classes = 10);

/// A network by the name that recipes use. kNotFound lists the known names.
Result<Network> find_network(std::string_view name, std::int64_t classes);

}  // namespace moru::forge
