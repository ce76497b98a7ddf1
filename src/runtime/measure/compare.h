// SPDX-License-Identifier: Apache-2.0
// How far two answers are apart.
#pragma once

#include <cstdint>
#include <span>

#include "core/json_fwd.h"
#include "core/random.h"
#include "core/result.h"
#include "model/inspect/summary.h"
#include "model/tensor/tensor.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {

struct Difference {
  std::int64_t count = 0;  ///< elements compared
  double max_error = 0.0;  ///< max |a - b|; infinite when one of the two is not a number and the other is
  double rms_error = 0.0;  ///< sqrt(mean (a - b)^2)
  double nmse = 0.0;       ///< sum (a - b)^2 / sum a^2; of an all-zero `a`: 0 when b is too, else infinite
  double squares = 0.0;    ///< sum a^2, of the finite ones
};

/// `expected` against `found`, of the same type and shape. Errors: kInvalidArgument.
Result<Difference> compare(const model::Tensor& expected, const model::Tensor& found);

/// The largest of each figure over several tensors.
Result<Difference> compare_all(std::span<const model::Tensor> expected, std::span<const model::Tensor> found);

/// Seeded inputs that fit the ports: floats standard normal, integers of 8 and 16 bits over their whole range, other integers and bools 0
/// or 1 (they are often indices). The binding has the numbers for what is open: kInvalidArgument for a name that no port has.
Result<std::vector<model::Tensor>> random_inputs(std::span<const Port> ports, const model::DimBinding& binding, Rng& rng);
/// Every open extent becomes `batch`.
Result<std::vector<model::Tensor>> random_inputs(std::span<const Port> ports, std::int64_t batch, Rng& rng);

}  // namespace moru::runtime
