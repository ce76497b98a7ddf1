// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/signal.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "model/ops/support/indices.h"
#include "model/ops/support/onnx_dtype.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/types.h"

namespace moru::model::ops {

Transform::Transform(std::int64_t length, bool inverse) : factor_(inverse ? 1.0 / static_cast<double>(length) : 1.0) {
  for (std::int64_t i = 0; i < length; ++i) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(length);
    Complex root{std::cos(angle), std::sin(angle)};
    // Quarters of a turn are exact, so that what cancels out does so.
    if (4 * i % length == 0) root = {std::nearbyint(root.real), std::nearbyint(root.imaginary)};
    roots_.push_back({root.real, inverse ? root.imaginary : -root.imaginary});
  }
}

Complex Transform::at(std::span<const Complex> x, std::int64_t k) const {
  const std::size_t length = roots_.size();
  Complex sum;
  std::size_t root = 0;
  for (std::size_t t = 0; t < std::min(x.size(), length); ++t) {
    sum.real += x[t].real * roots_[root].real - x[t].imaginary * roots_[root].imaginary;
    sum.imaginary += x[t].real * roots_[root].imaginary + x[t].imaginary * roots_[root].real;
    root = (root + static_cast<std::size_t>(k)) % length;
  }
  return {sum.real * factor_, sum.imaginary * factor_};
}

Status infer_window(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const DType dtype, dtype_attribute(context.node(), "output_datatype", DType::kFloat32));
  MORU_RETURN_IF_ERROR(for_number_dtype(dtype, []<class T>() -> Status { return {}; }));
  MORU_ASSIGN_OR_RETURN(const auto size, constant_index(context, 0));
  if (size) MORU_RETURN_IF_ERROR(check_extents(std::span(&*size, 1), input_label(context, 0)));
  context.set_output(0, {dtype, SymbolicShape{size ? Dim{*size, {}} : Dim{}}});
  return {};
}

Status reference_window(EvalContext& context, const double (&a)[3]) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t periodic, int_attribute(context.node, "periodic", 1));
  Tensor& y = context.outputs[0];
  // A symmetric window of one number has no period; its number is that of the middle of others.
  const bool is_single = periodic == 0 && y.count() == 1;
  const double period = static_cast<double>(periodic != 0 ? y.count() : y.count() - 1);
  return for_number_dtype(y.dtype(), [&]<class T>() -> Status {
    const auto elements = y.mutable_data<T>();
    for (std::size_t n = 0; n < elements.size(); ++n) {
      const double angle = is_single ? std::numbers::pi : 2 * std::numbers::pi * static_cast<double>(n) / period;
      const double value = a[0] + a[2] * std::cos(2 * angle) - a[1] * std::cos(angle);
      elements[n] = narrow<T>(static_cast<Wide<T>>(value));
    }
    return {};
  });
}

}  // namespace moru::model::ops
