// SPDX-License-Identifier: Apache-2.0
// Small networks made from a seed, for tests that run one on every ISA beside the reference.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/graph/graph.h"
#include "model/tensor/tensor.h"

namespace moru::runtime::engine {

/// What decides of layers and extents: a seed alone, or first the bytes of a fuzzer. Numbers come of the seed.
struct Choices {
  // NOLINTNEXTLINE(google-explicit-constructor): a seed is one
  Choices(std::uint64_t of_seed, std::span<const std::uint8_t> first = {}) : seed(of_seed), bytes(first) {}
  std::uint64_t seed;
  std::span<const std::uint8_t> bytes;  ///< borrowed while the network is made
};

struct RandomNetwork {
  model::Graph graph;  ///< verified, with known extents everywhere
  std::vector<model::Tensor> inputs;
};

/// One to six layers, of levels (int8 or uint8, with all bits of docs/arithmetic.md to get wrong), of floats, or of HybridConv.
RandomNetwork random_levels(const Choices& choices);
RandomNetwork random_floats(const Choices& choices);
RandomNetwork random_hybrid(const Choices& choices);
/// The same of floats with what surrounds layers of weights: normalisations, resizing, products of two values, packed weights, masks.
RandomNetwork random_values(const Choices& choices);
/// Inverted residuals on images so large that their rows are made in turn.
RandomNetwork random_rows_of_levels(const Choices& choices);
RandomNetwork random_rows_of_floats(const Choices& choices);
/// One to three recurrent layers.
RandomNetwork random_sequences(const Choices& choices);

}  // namespace moru::runtime::engine
