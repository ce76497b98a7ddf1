// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace moru::model {

/// How the integers of a tensor stand for reals: real = scale * (stored - zero_point). One scale and zero point for the
/// whole tensor, or one an index of `axis`; both lists are of one length.
struct Quantization {
  std::vector<float> scales;
  std::vector<std::int64_t> zero_points;
  std::int32_t axis = 0;
  bool operator==(const Quantization&) const = default;
};

}  // namespace moru::model
