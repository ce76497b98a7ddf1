// SPDX-License-Identifier: Apache-2.0
// What NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss share.
#pragma once

#include <span>

#include "model/ops/op.h"

namespace moru::model::ops {

inline constexpr AttributeSpec kLossAttributes[] = {
    {"ignore_index", AttributeKind::kInt, "a target that counts for nothing; none"},
    {"reduction", AttributeKind::kString, "\"mean\" (by weight), \"sum\" or \"none\"; \"mean\""},
};

/// Inputs: 0 of [N, C, d...], 1 (targets) of [N, d...], 2 (weights) of [C] or left out. Output 0: [N, d...], or a scalar.
Status infer_loss(InferContext& context);

/// Output 0 from the logarithms of probabilities, [N, C, d...] as input 0: each loss is -weight[t] * log_prob[n, t, d...] for the
/// target t. Errors: a target outside [0, C).
Status reference_loss(EvalContext& context, std::span<const double> log_prob);

}  // namespace moru::model::ops
