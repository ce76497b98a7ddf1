// SPDX-License-Identifier: Apache-2.0
// The activation functions that recurrent ops name in attributes.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model::ops {

/// One activation function: y = f(x) with the parameters it takes.
struct Activation {
  double (*apply)(double x, double alpha, double beta) = nullptr;
  double alpha = 0;
  double beta = 0;
  double clip = 0;  ///< bounds x to [-clip, clip]; 0: not at all
  double operator()(double x) const;
};

/// Those of 'activations', else `usual` once a direction. The numbers in activation_alpha and activation_beta go in order to
/// the functions that take such a parameter; where they run out the function's own is used.
Result<std::vector<Activation>> read_activations(const Node& node, std::span<const std::string_view> usual, std::size_t directions);

}  // namespace moru::model::ops
