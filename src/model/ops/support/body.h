// SPDX-License-Identifier: Apache-2.0
// What ops with a body (If, Loop, Scan) share. None has a reference: engines that can run a graph within a graph do.
#pragma once

#include <cstddef>
#include <string_view>

#include "model/ops/op.h"

namespace moru::model::ops {

inline constexpr std::string_view kBodyReason = "the references run one node on tensors; a graph within a node is for backends that can";

/// A node's body (its attribute is there: the schema wants it).
const Subgraph& body_of(const Node& node, std::string_view name);

/// kInvalidArgument unless the body has `inputs` inputs beside those that it captures, and at least `outputs` outputs.
Status expect_body(const Subgraph& body, std::string_view name, std::size_t inputs, std::size_t outputs);

/// The type of an output of the body (expect_body() has accepted it), as far as it is known.
const ValueType& body_output(const Subgraph& body, std::size_t index);

/// What is certain of a value that has either type: an extent that differs is unknown, and so is a rank. kInvalidArgument where the
/// element types differ.
Result<ValueType> common_type(const ValueType& a, const ValueType& b, std::string_view what);

}  // namespace moru::model::ops
