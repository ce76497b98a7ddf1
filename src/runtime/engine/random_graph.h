// SPDX-License-Identifier: Apache-2.0
// Small networks made from a seed, for tests that run one on every ISA beside the reference.
#pragma once

#include <cstdint>
#include <vector>

#include "model/graph/graph.h"
#include "model/tensor/tensor.h"

namespace moru::runtime::engine {

struct RandomNetwork {
  model::Graph graph;  ///< verified, with known extents everywhere
  std::vector<model::Tensor> inputs;
};

/// One to six layers, of levels (int8 or uint8, with all bits of docs/arithmetic.md to get wrong), of floats, or of HybridConv.
RandomNetwork random_levels(std::uint64_t seed);
RandomNetwork random_floats(std::uint64_t seed);
RandomNetwork random_hybrid(std::uint64_t seed);
/// The same of floats with what surrounds layers of weights: normalisations, resizing, products of two values, packed weights, masks.
RandomNetwork random_values(std::uint64_t seed);
/// Inverted residuals on images so large that their rows are made in turn.
RandomNetwork random_rows_of_levels(std::uint64_t seed);
RandomNetwork random_rows_of_floats(std::uint64_t seed);
/// One to three recurrent layers.
RandomNetwork random_sequences(std::uint64_t seed);

}  // namespace moru::runtime::engine
