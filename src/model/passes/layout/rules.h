// SPDX-License-Identifier: Apache-2.0
// How a permutation of axes passes through an op.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "model/graph/graph.h"
#include "model/passes/layout/permutation.h"

namespace moru::model::layout {

/// A node that is to work on transposed data. With v the data now and w those that will be there, v = transpose(w, perm), so
/// that axis i of v is axis perm[i] of w. The rule rewrites `node`, says which inputs it then wants as w, and how the outputs
/// come. It changes no graph: many are tried, few are chosen.
struct PermuteContext {
  const Graph& graph;
  Node node;
  Perm perm;
  std::vector<bool> permuted;                                  ///< one an input; true: wanted as w
  std::vector<Perm> outputs;                                   ///< one an output; preset to `perm`
  std::vector<std::pair<std::size_t, Tensor>> constants = {};  ///< inputs that become these

  const SymbolicShape* shape(std::size_t input) const;
  const Tensor* constant(std::size_t input) const;
  std::size_t rank() const { return perm.size(); }
};

/// Runs the op's rule. False when it has none or when the permutation cannot pass: nothing is then to be used of `context`.
bool permute(PermuteContext& context);

}  // namespace moru::model::layout
