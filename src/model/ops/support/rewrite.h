// SPDX-License-Identifier: Apache-2.0
// Steps that upgrade() and downgrade() are made of, beside those of versions.h.
#pragma once

#include <initializer_list>

#include "model/ops/op.h"

namespace moru::model::ops {

/// Adds a node of one output that runs before; gives its output.
ValueId run_before(NodeRewrite& rewrite, std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
/// Output `index` is from now on made by a node behind, of inputs {what the node makes there, others...}.
void run_after(NodeRewrite& rewrite, std::size_t index, std::string_view op, std::initializer_list<ValueId> others,
               Attributes attributes = {});
/// int64 constants.
ValueId add_ints(NodeRewrite& rewrite, std::string_view stem, std::span<const std::int64_t> values);

/// Input 1 gets extents of 1 behind its last axis, so that its first axis meets axis `axis` of input 0 and it stretches by
/// NumPy's rule. kUnsupported when a rank is not known.
Status align_input(NodeRewrite& rewrite, std::int64_t axis);

/// The attributes of a node that is written must hold for it: kInvalidArgument when input `index` is missing.
Status expect_inputs(const NodeRewrite& rewrite, std::size_t count);
/// Whether output `index` is asked for.
bool has_output(const Node& node, std::size_t index);

/// Takes away an attribute that the opset does not have, where it says what that opset does anyway; kUnsupported, naming
/// the opset, where it says something else.
Status drop_int(NodeRewrite& rewrite, std::string_view name, std::int64_t usual);
Status drop_ones(NodeRewrite& rewrite, std::string_view name);

/// A float attribute becomes an int. kUnsupported when it is no whole number.
Status float_to_int_attribute(NodeRewrite& rewrite, std::string_view name);

}  // namespace moru::model::ops
