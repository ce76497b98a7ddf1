// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/convert.h"
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Squares", R"(graph "pow" {
  init x = float32[3] {1, -2, 3}
  init y = float32[] {2}
  z = Pow(x, y)
  output z
})",
                                    "float32[3] {1, 4, 9}"},
                                   {"The result has the type of the base", R"(graph "pow" {
  init x = int32[2] {2, 9}
  init y = float32[2] {10, 0.5}
  z = Pow(x, y)
  output z
})",
                                    "int32[2] {1024, 3}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kNumbers));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kNumbers));
  return ops::infer_broadcast(context, context.input(0).dtype);
}

/// By squaring; wraps around. Below exponent 0 it is 1 over the power, cut towards 0.
template <class W>
W integer_power(W base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == W{1}) return base;
    return static_cast<W>(base + W{1}) == W{0} ? (exponent % 2 == 0 ? W{1} : base) : W{0};
  }
  W power{1};
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 != 0) power = ops::wrap_multiply(power, base);
    base = ops::wrap_multiply(base, base);
  }
  return power;
}

bool is_float(DType dtype) { return std::ranges::find(ops::kFloats, dtype) != ops::kFloats.end(); }

/// Integer powers are exact; all others are made in double, and rounded to the base's type.
Status reference(EvalContext& context) {
  const Tensor& base = context.input(0);
  if (!is_float(base.dtype()) && !is_float(context.input(1).dtype())) {
    MORU_ASSIGN_OR_RETURN(const Tensor exponent, ops::convert(context.input(1), DType::kInt64));
    return ops::for_integer_dtype(base.dtype(), [&]<class T>() -> Status {
      ops::zip<T, std::int64_t, T>(base, exponent, context.outputs[0],
                                   [](T x, std::int64_t y) { return ops::narrow<T>(integer_power(ops::widen(x), y)); });
      return {};
    });
  }
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::convert(base, DType::kFloat64));
  MORU_ASSIGN_OR_RETURN(const Tensor y, ops::convert(context.input(1), DType::kFloat64));
  MORU_ASSIGN_OR_RETURN(Tensor z, Tensor::create(DType::kFloat64, context.outputs[0].dims()));
  ops::zip<double, double, double>(x, y, z, [](double a, double b) { return std::pow(a, b); });
  MORU_ASSIGN_OR_RETURN(context.outputs[0], ops::convert(z, base.dtype()));
  return {};
}

}  // namespace

extern const OpSpec kOp_pow;
constinit const OpSpec kOp_pow = ops::binary_op(
    {.name = "Pow",
     .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = A to the power of B, of A's type. "
            "Integer powers wrap around.",
     .infer = infer,
     .reference = reference,
     .examples = kExamples});

}  // namespace moru::model
