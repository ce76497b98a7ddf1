// SPDX-License-Identifier: Apache-2.0
// What the ops on signals share.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/ops/op.h"

namespace moru::model::ops {

/// Longer transforms would take hours by the definition, which is how references compute them.
inline constexpr std::int64_t kLongestTransform = std::int64_t{1} << 20U;

struct Complex {
  double real = 0;
  double imaginary = 0;
};

/// The discrete Fourier transform by its definition: X[k] = sum over t of x[t] * exp(-2 pi i k t / length), in double and in the
/// order of t. The inverse has the other sign and divides by length. Cost: length^2.
class Transform {
 public:
  /// `length` is 1 to kLongestTransform.
  Transform(std::int64_t length, bool inverse);
  /// X[k]; `x` counts as 0 behind its end, and what is behind `length` is left out.
  Complex at(std::span<const Complex> x, std::int64_t k) const;

 private:
  std::vector<Complex> roots_;
  double factor_;
};

/// How many of the `length` results are asked for: all, or those up to the middle.
inline std::int64_t bins_of(std::int64_t length, bool onesided) { return onesided ? length / 2 + 1 : length; }

/// A window of input 0 (size) numbers w[n] = a[0] - a[1] cos(2 pi n / N) + a[2] cos(4 pi n / N), with N = size, or size - 1 when
/// 'periodic' is 0. Its type is 'output_datatype'.
Status infer_window(InferContext& context);
Status reference_window(EvalContext& context, const double (&a)[3]);

inline constexpr PortSpec kWindowInputs[] = {{"size", "int32 or int64 scalar"}};
inline constexpr PortSpec kWindowOutputs[] = {{"output", "[size]"}};
inline constexpr AttributeSpec kWindowAttributes[] = {
    {"output_datatype", AttributeKind::kInt, "ONNX's number of the output's type; 1 (float32)"},
    {"periodic", AttributeKind::kInt, "1: N = size; 0: N = size - 1, which is symmetric; 1"}};

}  // namespace moru::model::ops
