// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "core/result.h"
#include "model/ops/op.h"

namespace moru::model::ops {

/// Mean and 1 / sqrt(variance + epsilon); the variance is the mean square distance from the mean.
struct Moments {
  double mean = 0;
  double inverse_deviation = 0;
};
Moments moments_of(std::span<const double> x, double epsilon);

/// X [N, C, ...] cut into `runs` equal runs, each normalised by its own moments; then y = scale[c] * x + bias[c].
struct ChannelNormalization {
  std::int64_t runs;
  std::int64_t channels;
  double epsilon;
};
/// Inputs X, scale [C] and bias [C], output as X.
Status normalize_channels(EvalContext& context, const ChannelNormalization& how);

}  // namespace moru::model::ops
