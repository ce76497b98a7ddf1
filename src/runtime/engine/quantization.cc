// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/quantization.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/engine/lines.h"

namespace moru::runtime::engine {
namespace {

using model::DType;
using model::Tensor;

/// One scale and zero point, or one an index of the axis; a zero point as the level lies (int8 128 higher).
struct Scales {
  std::vector<float> scale;
  std::vector<std::int32_t> zero;
  LineShape shape;  ///< the axis is `extent`
};

template <class F>
Status with_level_type(DType dtype, F f) {
  switch (dtype) {
    case DType::kInt8:
    case DType::kUInt8: return f.template operator()<std::uint8_t>();
    case DType::kInt16: return f.template operator()<std::int16_t>();
    case DType::kUInt16: return f.template operator()<std::uint16_t>();
    case DType::kInt32: return f.template operator()<std::int32_t>();
    default:
      return fail(ErrorCode::kUnsupported,
                  fmt::format("found levels of {}, expected int8, uint8, int16, uint16 or int32", model::to_string(dtype)));
  }
}

std::int32_t zero_at(const Tensor& zero, std::size_t i) {
  switch (zero.dtype()) {
    case DType::kInt8: return zero.data<std::int8_t>()[i];
    case DType::kUInt8: return zero.data<std::uint8_t>()[i];
    case DType::kInt16: return zero.data<std::int16_t>()[i];
    case DType::kUInt16: return zero.data<std::uint16_t>()[i];
    case DType::kInt32: return zero.data<std::int32_t>()[i];
    default: return 0;
  }
}

Result<Scales> read_scales(Lowering& lowering, const model::Node& node, const model::Dims& dims, DType levels) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t block, model::int_attribute(node, "block_size", 0));
  MORU_ASSIGN_OR_RETURN(const Tensor* scale, lowering.constant(node, 1));
  if (block != 0 || scale->dtype() != DType::kFloat32) return fail(ErrorCode::kUnsupported, "expected float32 scales, not of blocks");
  const Tensor* zero = nullptr;
  if (lowering.has_input(node, 2)) {
    MORU_ASSIGN_OR_RETURN(zero, lowering.constant(node, 2));
  }
  Scales scales;
  const auto count = static_cast<std::size_t>(scale->count());
  if (count == 1) {
    for (const std::int64_t extent : dims) scales.shape.inner *= static_cast<std::size_t>(extent);
  } else {
    MORU_ASSIGN_OR_RETURN(scales.shape, read_lines(node, dims, 1));
  }
  for (std::size_t i = 0; i < count; ++i) {
    scales.scale.push_back(scale->data<float>()[i]);
    scales.zero.push_back((zero == nullptr ? 0 : zero_at(*zero, zero->count() == 1 ? 0 : i)) + level_shift(levels));
    if (!std::isfinite(scales.scale.back()) || scales.scale.back() <= 0) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("found scale {}, expected a finite one above 0", scales.scale.back()));
    }
  }
  return scales;
}

/// Calls f(scale, zero, first element, count) for each run of elements of one scale.
template <class F>
void for_each_run(const Scales& scales, F f) {
  const LineShape& it = scales.shape;
  for (std::size_t i = 0; i < it.outer * it.extent; ++i) f(scales.scale[i % it.extent], scales.zero[i % it.extent], i * it.inner, it.inner);
}

template <class Level>
class DequantizeAnyStep final : public Step {
 public:
  DequantizeAnyStep(BufferId x, BufferId y, Scales scales) : x_(x), y_(y), scales_(std::move(scales)) {}

  void run(const Frame& frame) const noexcept override {
    const Level* x = frame.at<const Level>(x_);
    float* y = frame.at<float>(y_);
    for_each_run(scales_, [&](float scale, std::int32_t zero, std::size_t first, std::size_t count) {
      for (std::size_t i = first; i < first + count; ++i) y[i] = static_cast<float>(std::int64_t{x[i]} - zero) * scale;
    });
  }

 private:
  BufferId x_;
  BufferId y_;
  Scales scales_;
};

template <class Level>
class QuantizeAnyStep final : public Step {
 public:
  QuantizeAnyStep(BufferId x, BufferId y, Scales scales) : x_(x), y_(y), scales_(std::move(scales)) {}

  void run(const Frame& frame) const noexcept override {
    const float* x = frame.at<const float>(x_);
    Level* y = frame.at<Level>(y_);
    for_each_run(scales_, [&](float scale, std::int32_t zero, std::size_t first, std::size_t count) {
      const auto low = static_cast<float>(std::numeric_limits<Level>::min() - zero);
      const auto high = static_cast<float>(std::numeric_limits<Level>::max() - zero);
      for (std::size_t i = first; i < first + count; ++i) {
        const float steps = std::nearbyint(x[i] / scale);
        y[i] = static_cast<Level>(static_cast<std::int32_t>(std::isnan(steps) ? 0.0F : std::clamp(steps, low, high)) + zero);
      }
    });
  }

 private:
  BufferId x_;
  BufferId y_;
  Scales scales_;
};

}  // namespace

Result<bool> has_one_level_scale(Lowering& lowering, const model::Node& node, DType dtype) {
  MORU_ASSIGN_OR_RETURN(const Tensor* scale, lowering.constant(node, 1));
  return (dtype == DType::kInt8 || dtype == DType::kUInt8) && scale->count() == 1;
}

Status lower_dequantize(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(Scales scales, read_scales(lowering, node, x.dims, x.dtype));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  if (!y.is_float()) return fail(ErrorCode::kUnsupported, "expected levels to float32");
  return with_level_type(x.dtype, [&]<class Level>() -> Status {
    lowering.add(std::make_unique<DequantizeAnyStep<Level>>(x.buffer, y.buffer, std::move(scales)), {x.buffer, y.buffer});
    return {};
  });
}

Status lower_quantize(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(Scales scales, read_scales(lowering, node, x.dims, y.dtype));
  if (!x.is_float() || y.dtype == DType::kInt32) return fail(ErrorCode::kUnsupported, "expected float32 to levels of 8 or 16 bits");
  return with_level_type(y.dtype, [&]<class Level>() -> Status {
    if constexpr (sizeof(Level) <= 2) {
      lowering.add(std::make_unique<QuantizeAnyStep<Level>>(x.buffer, y.buffer, std::move(scales)), {x.buffer, y.buffer});
    }
    return {};
  });
}

}  // namespace moru::runtime::engine
