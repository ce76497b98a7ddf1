// SPDX-License-Identifier: Apache-2.0
// Windows (convolution, pooling) in TFLite's words: NHWC, two spatial axes, padding SAME or VALID.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "model/convert/rewrite.h"
#include "model/ops/support/window.h"

namespace moru::model::convert {

/// X of [N, C, W] or [N, C, H, W] on its way into a TFLite op, and what the op makes on its way back.
class Spatial {
 public:
  /// kUnsupported for other ranks than 3 and 4.
  static Result<Spatial> open(Rewrite& rewrite);

  /// X as [N, H, W, C].
  ValueId x() const { return x_; }
  std::size_t axes() const { return rank_ - 2; }
  /// The type that the op's result must have: as the node's output, in NHWC. Its value is for close().
  ValueId make_output();
  /// From the op's result to the node's output.
  void close(ValueId made);
  /// Numbers a spatial axis, as [height, width].
  static std::pair<std::int64_t, std::int64_t> plane(const std::vector<std::int64_t>& per_axis, std::int64_t missing);

 private:
  explicit Spatial(Rewrite& rewrite) : rewrite_(&rewrite) {}
  Rewrite* rewrite_;
  std::size_t rank_ = 4;
  ValueId x_ = kNoValue;
};

/// What lies around the data, in TFLite's words: "SAME" or "VALID", or "VALID" and numbers for a PAD before.
struct Padding {
  std::string word = "VALID";
  std::vector<std::int64_t> begin;
  std::vector<std::int64_t> end;
  bool needs_pad() const;
};
/// `input` are the spatial extents before, `output` those after (unknown ones only where nothing depends on them).
Result<Padding> padding_of(const Rewrite& rewrite, const ops::Window& window, std::span<const Dim> input, std::span<const Dim> output);

/// x [N, H, W, C] with a PAD or, for another value than 0, a PADV2 around its plane.
ValueId add_pad(Rewrite& rewrite, ValueId x, const Padding& padding, const Tensor* value = nullptr);

}  // namespace moru::model::convert
