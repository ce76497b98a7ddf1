// SPDX-License-Identifier: Apache-2.0
// Whether two models answer the same, over as many runs as one likes.
#pragma once

#include <cstdint>
#include <string>

#include "core/json_fwd.h"
#include "core/result.h"
#include "model/tensor/tensor.h"

namespace moru::runtime {

/// How far below the largest element another is still nearly as large: of the tensor's range, and of integers in levels.
inline constexpr double kNearShare = 0.02;
inline constexpr double kNearLevels = 2.0;

/// Figures of one output over all runs.
struct Parity {
  std::string output;
  std::int64_t runs = 0;
  std::int64_t count = 0;  ///< elements compared
  double max_error = 0.0;  ///< max |a - b|; infinite when one of the two is not a number and the other is
  double rms_error = 0.0;  ///< sqrt(mean (a - b)^2)
  double nmse = 0.0;       ///< sum (a - b)^2 / sum a^2 over all runs; of an all-zero `a`: 0 when b is too, else infinite
  double squares = 0.0;    ///< sum a^2, of the finite ones
  bool same_bits = true;
  std::int64_t samples = 0;     ///< whose largest element was looked for: entries of the first axis, or a whole tensor of rank 1
  std::int64_t agreements = 0;  ///< samples whose largest element is at one place; where either has it twice, each place is right
  std::int64_t near_agreements =
      0;  ///< the same, or what `found` takes is among the nearly largest of `expected` (kNearShare, kNearLevels)
};

/// Adds a run. Both tensors are of one type and shape: kInvalidArgument otherwise. kUnsupported for strings.
Status add_run(const model::Tensor& expected, const model::Tensor& found, Parity* parity);

/// {"output", "runs", "elements", "max_error", "rms_error", "nmse", "same_bits", "samples", "argmax_agreement"}; an infinite figure is
/// "inf", and the agreement is null where there is nothing to choose from.
Json to_json(const Parity& parity);

}  // namespace moru::runtime
