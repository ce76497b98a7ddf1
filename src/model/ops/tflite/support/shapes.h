// SPDX-License-Identifier: Apache-2.0
// What TFLite's ops share about types and shapes, beside model/ops/support/shape.h. Layouts are TFLite's: [N, H, W, C].
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/ops/op.h"
#include "model/ops/support/indices.h"
#include "model/ops/support/shape.h"

namespace moru::model::tflite_ops {

inline constexpr std::initializer_list<DType> kFloat = {DType::kFloat32};
/// Reals: floats and the integers that stand for them.
inline constexpr std::initializer_list<DType> kReal8 = {DType::kFloat32, DType::kInt8, DType::kUInt8};
inline constexpr std::initializer_list<DType> kReal = {DType::kFloat32, DType::kInt8, DType::kUInt8, DType::kInt16};
/// Reals and plain integers.
inline constexpr std::initializer_list<DType> kNumber = {DType::kFloat32, DType::kInt8,  DType::kUInt8,
                                                         DType::kInt16,   DType::kInt32, DType::kInt64};
/// Whatever has whole bytes, for ops that only move elements.
inline constexpr std::initializer_list<DType> kMovable = {DType::kFloat32, DType::kFloat64, DType::kInt8,    DType::kUInt8, DType::kInt16,
                                                          DType::kUInt16,  DType::kInt32,   DType::kUInt32,  DType::kInt64, DType::kUInt64,
                                                          DType::kBool,    DType::kFloat16, DType::kBFloat16};

/// Output 0 is as input 0.
Status infer_same(InferContext& context, std::initializer_list<DType> allowed);
/// Output 0 has the shape that inputs 0 and 1 stretch to, and their type or `result`.
Status infer_broadcast(InferContext& context, std::initializer_list<DType> allowed, std::optional<DType> result = std::nullopt);

/// An option that must lie in [low, high].
Result<std::int64_t> option_in(const Node& node, std::string_view name, std::int64_t fallback, std::int64_t low, std::int64_t high);

/// The sliding window of one spatial axis.
struct Slide {
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  bool same = false;

  std::int64_t reach() const { return (kernel - 1) * dilation + 1; }
  /// How many places it has on `extent` elements. kInvalidArgument when it does not fit once.
  Result<Dim> places(const Dim& extent) const;
  /// Elements of padding before the first.
  std::int64_t before(std::int64_t extent, std::int64_t places) const;
};
struct Slides {
  Slide h;
  Slide w;
};
/// Reads padding, strides and dilations (or their default 1) of a node for a kernel of that size; each below 2^20.
Result<Slides> slides_of(const Node& node, std::int64_t kernel_h, std::int64_t kernel_w);

}  // namespace moru::model::tflite_ops
