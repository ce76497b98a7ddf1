// SPDX-License-Identifier: Apache-2.0
// A trained network as a model graph, and back.
#pragma once

#include <string>

#include "core/result.h"
#include "forge/train/network.h"
#include "model/graph/graph.h"

namespace moru::forge {

/// Names that every classifier made here has.
inline constexpr std::string_view kImageInput = "image";                   ///< float32 [N, 1, H, W], normalised
inline constexpr std::string_view kProbabilitiesOutput = "probabilities";  ///< float32 [N, classes]
/// Metadata field that holds the network's name.
inline constexpr std::string_view kNetworkKey = "moru.network";

/// Conv, BatchNormalization, Relu, ... and a Softmax at the end; opset 13, symbolic batch "N". Errors: those of
/// check_network; kInvalidArgument when the count of weights is wrong.
Result<model::Graph> to_graph(const Network& network, const Weights& weights);

/// The weights of a graph that to_graph made (also after a round trip through a file), for training on. Errors:
/// kInvalidArgument with the first node that is not the network's: a folded or quantised model cannot be trained on.
Result<Weights> weights_from_graph(const Network& network, const model::Graph& graph);

/// The network that a graph says it is (metadata kNetworkKey), for `classes` classes. kInvalidArgument when it says nothing.
Result<Network> network_of(const model::Graph& graph, std::int64_t classes);

}  // namespace moru::forge
