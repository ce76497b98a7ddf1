// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "model/ops/support/shape.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[..., M, M]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[...]"}};
constexpr OpExample kExamples[] = {{"Of one matrix", R"(graph "det" {
  init x = float32[2, 2] {0, 2, 3, 4}
  y = Det(x)
  output y
})",
                                    "float32[] {-6}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kFloats));
  const auto dtype = context.input(0).dtype;
  context.set_output(0, {dtype, std::nullopt});
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr) return {};
  if (x->size() < 2 || !ops::merge(x->back(), (*x)[x->size() - 2]))
    return ops::input_error(context, 0, fmt::format("found {}, expected square matrices [..., M, M]", to_string(*x)));
  context.set_output(0, {dtype, SymbolicShape(x->begin(), x->end() - 2)});
  return {};
}

/// By elimination with the largest pivot of each column (Golub and Van Loan, "Matrix Computations", 3.4).
double determinant(std::vector<double>& a, std::size_t size) {
  double result = 1;
  for (std::size_t k = 0; k < size; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k + 1; i < size; ++i) {
      if (std::abs(a[i * size + k]) > std::abs(a[pivot * size + k])) pivot = i;
    }
    if (a[pivot * size + k] == 0) return 0;
    if (pivot != k) {
      result = -result;
      for (std::size_t j = k; j < size; ++j) std::swap(a[k * size + j], a[pivot * size + j]);
    }
    result *= a[k * size + k];
    for (std::size_t i = k + 1; i < size; ++i) {
      const double factor = a[i * size + k] / a[k * size + k];
      for (std::size_t j = k + 1; j < size; ++j) a[i * size + j] -= factor * a[k * size + j];
    }
  }
  return result;
}

Status reference(EvalContext& context) {
  return ops::for_float_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    const auto x = context.input(0).data<T>();
    const auto size = static_cast<std::size_t>(context.input(0).dims().back());
    std::vector<double> matrix(size * size);
    std::size_t at = 0;
    for (T& y : context.outputs[0].mutable_data<T>()) {
      for (double& value : matrix) value = ops::widen(x[at++]);
      y = ops::narrow<T>(determinant(matrix, size));
    }
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_det;
constinit const OpSpec kOp_det{.name = "Det",
                               .domain = "",
                               .since = 11,
                               .doc = "The determinant of each matrix of a batch, made in double: X [..., M, M] -> Y [...].",
                               .inputs = kInputs,
                               .outputs = kOutputs,
                               .attributes = {},
                               .infer = infer,
                               .reference = reference,
                               .examples = kExamples};

}  // namespace moru::model
