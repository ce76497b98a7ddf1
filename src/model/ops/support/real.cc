// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/real.h"

#include <algorithm>

#include "model/ops/support/loops.h"

namespace moru::model::ops {

Result<Tensor> to_float64(const Tensor& tensor) {
  if (tensor.dtype() == DType::kFloat64) return tensor;
  MORU_ASSIGN_OR_RETURN(Tensor wide, Tensor::create(DType::kFloat64, tensor.dims()));
  MORU_RETURN_IF_ERROR(for_float_dtype(tensor.dtype(), [&]<class T>() -> Status {
    std::ranges::transform(tensor.data<T>(), wide.mutable_data<double>().begin(), [](T x) { return static_cast<double>(x); });
    return {};
  }));
  return wide;
}

Status round_into(std::span<const double> values, Tensor& out) {
  return for_float_dtype(out.dtype(), [&]<class T>() -> Status {
    std::ranges::transform(values, out.mutable_data<T>().begin(), [](double x) { return rounded<T>(x); });
    return {};
  });
}

}  // namespace moru::model::ops
