// SPDX-License-Identifier: Apache-2.0
// How ops changed from opset to opset. A graph holds every op as opset kNewestOpset means it: the ONNX reader brings older
// nodes there (OpSpec::upgrade), and the writer brings nodes to the opset that was asked for (OpSpec::downgrade). So
// infer(), reference(), passes and engines know one meaning only.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/graph/graph.h"

namespace moru::model {

/// The opset whose meaning graphs have.
inline constexpr std::int64_t kNewestOpset = 22;
/// The oldest that the writer makes.
inline constexpr std::int64_t kOldestWritten = 13;

/// A node on its way from one opset's meaning to another's.
struct NodeRewrite {
  Graph& graph;              ///< where new values and constants go; the types of values are there as far as known
  std::int64_t opset;        ///< upgrade: the one that the node was written for; downgrade: the one that is wanted
  Node node;                 ///< changed in place; its outputs may be taken over by nodes behind it
  std::vector<Node> before;  ///< nodes that must run before it, in order
  std::vector<Node> after;   ///< and after it
};

namespace ops {

/// Adds a constant with a new name made from that of the node's first output and `stem`.
ValueId add_constant(NodeRewrite& rewrite, std::string_view stem, Tensor tensor);
/// Adds a value of unknown type with a new name made from `stem`.
ValueId add_value(NodeRewrite& rewrite, std::string_view stem);

/// The attribute `name`, if it is there, becomes the constant input `index` (ints: int64 [n]; an int or a float: a scalar).
/// kInvalidArgument when both are there.
Status attribute_to_input(NodeRewrite& rewrite, std::string_view name, std::size_t index);
/// The constant input `index`, if it is there, becomes the attribute `name` (ints). kUnsupported, naming the opset, when it
/// is computed, since that opset has no way to say it.
Status input_to_ints_attribute(NodeRewrite& rewrite, std::size_t index, std::string_view name);
/// Takes away attributes that mean nothing any more ("consumed_inputs").
void drop_attribute(NodeRewrite& rewrite, std::string_view name);
/// kUnsupported "found ..., which opset N cannot say".
std::unexpected<Error> not_in_opset(const NodeRewrite& rewrite, std::string_view what);

}  // namespace ops
}  // namespace moru::model
