// SPDX-License-Identifier: Apache-2.0
// Permutations of axes, and the two ops that stand for one: ONNX's Transpose and TFLite's TRANSPOSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model::layout {

/// y = transpose(x): axis i of y is axis perm[i] of x.
using Perm = std::vector<std::size_t>;

bool is_identity(const Perm& perm);
Perm inverse(const Perm& perm);
/// What `first` and then `second` do together.
Perm compose(const Perm& first, const Perm& second);

/// The type after a transpose; the axis of its quantisation moves along.
ValueType permuted(const ValueType& type, const Perm& perm);
/// kUnsupported for elements that cannot be moved byte by byte (4 bits, strings).
Result<Tensor> permuted(const Tensor& tensor, const Perm& perm);
/// True when only extents of 1 change their place, so that the data stay where they are.
bool moves_only_ones(const SymbolicShape& shape, const Perm& perm);

/// TFLite's words have a domain of their own.
bool is_tflite(const Node& node);
bool is_op(const Node& node, std::string_view onnx, std::string_view tflite);
/// The permutation of a node that is a transpose of known rank and, in TFLite, with a constant permutation.
std::optional<Perm> permutation_of(const Graph& graph, const Node& node);
/// A transpose of `from` that makes `to`, in TFLite's words or in ONNX's.
Node make_transpose(Graph& graph, bool tflite, ValueId from, ValueId to, const Perm& perm);
/// A reshape to the known type of `to`, which has at most one unknown extent.
Node make_reshape(Graph& graph, bool tflite, ValueId from, ValueId to);

/// Puts the nodes in an order in which each value is made before it is used, else as they stood.
void sort_nodes(Graph& graph);
/// What uses `y` uses `x` from now on, and the node that made y is taken away by the next remove_unused(). False, and nothing
/// changed, when both have names that must stay.
bool substitute(Graph& graph, ValueId y, ValueId x);

}  // namespace moru::model::layout
