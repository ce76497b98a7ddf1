// SPDX-License-Identifier: Apache-2.0
// TFLite's activations inside of other ops, as nodes of their own in ONNX's words.
#pragma once

#include "core/result.h"
#include "model/convert/rewrite.h"

namespace moru::model::convert {

/// A new float value of the shape of `like`: what is between two nodes that were one is never quantised.
ValueId real_value(Rewrite& rewrite, ValueId like);
/// Where the op itself must write so that add_activation() can follow: `to`, when the node has no activation inside.
Result<ValueId> before_activation(Rewrite& rewrite, ValueId to);
/// Adds the node's activation, if it has one, between what before_activation() gave and `to`.
Status add_activation(Rewrite& rewrite, ValueId made, ValueId to);
/// kUnsupported for an activation that is none of RELU, RELU6, RELU_N1_TO_1, RELU_0_TO_1 and TANH.
Status add_activation_named(Rewrite& rewrite, std::string_view activation, ValueId from, ValueId to);

}  // namespace moru::model::convert
