// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/ops/support/movement.h"

namespace moru::model::tflite_ops {
namespace {

struct Mode {
  bool align = false;
  bool half = false;
};

Result<Mode> mode_of(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t align, int_attribute(node, "align_corners", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t half, int_attribute(node, "half_pixel_centers", 0));
  if (align != 0 && half != 0) return fail(ErrorCode::kInvalidArgument, "found align_corners and half_pixel_centers, expected one of them");
  return Mode{align != 0, half != 0};
}

/// The two inputs between which an output element lies, and how far it is from the first.
template <class T>
struct Between {
  std::int64_t low = 0;
  std::int64_t high = 0;
  T part = 0;
};

std::vector<Between<float>> between_floats(std::int64_t in, std::int64_t out, const Mode& mode) {
  const float step =
      mode.align && out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : static_cast<float>(in) / static_cast<float>(out);
  std::vector<Between<float>> places;
  for (std::int64_t i = 0; i < out; ++i) {
    const float at = mode.half ? (static_cast<float>(i) + 0.5F) * step - 0.5F : static_cast<float>(i) * step;
    Between<float> place;
    place.low = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::floor(at)), 0, in - 1);
    place.high = std::clamp<std::int64_t>(static_cast<std::int64_t>(std::ceil(at)), 0, in - 1);
    place.part = at - static_cast<float>(place.low);
    places.push_back(place);
  }
  return places;
}

/// In fixed point with 10 bits behind the point.
std::vector<Between<std::int64_t>> between_fixed(std::int64_t in, std::int64_t out, const Mode& mode) {
  constexpr std::int64_t kOne = 1 << 10;
  const bool align = mode.align && out > 1;
  const std::int64_t whole = align ? in - 1 : in;
  const std::int64_t parts = align ? out - 1 : out;
  const std::int64_t step = (kOne * whole + parts / 2) / parts;
  std::vector<Between<std::int64_t>> places;
  for (std::int64_t i = 0; i < out; ++i) {
    const std::int64_t at = mode.half ? i * step + step / 2 - kOne / 2 : i * step;
    Between<std::int64_t> place;
    place.low = std::clamp<std::int64_t>(at / kOne, 0, in - 1);
    place.high = std::clamp<std::int64_t>((at + kOne - 1) / kOne, 0, in - 1);
    place.part = at - kOne * place.low;
    places.push_back(place);
  }
  return places;
}

/// y = blend(the four neighbours, the two parts) for each element.
template <class T, class P, class F>
void blend(const Tensor& x, Tensor& y, const std::vector<Between<P>>& rows, const std::vector<Between<P>>& columns, F f) {
  const Dims& in = x.dims();
  const auto from = x.data<T>();
  const auto to = y.mutable_data<T>();
  const std::int64_t depth = in[3];
  std::size_t place = 0;
  for (std::int64_t n = 0; n < in[0]; ++n) {
    for (const auto& row : rows) {
      for (const auto& column : columns) {
        const auto at = [&](std::int64_t h, std::int64_t w) {
          return from.subspan(static_cast<std::size_t>(((n * in[1] + h) * in[2] + w) * depth));
        };
        const auto a = at(row.low, column.low);
        const auto b = at(row.high, column.low);
        const auto c = at(row.low, column.high);
        const auto d = at(row.high, column.high);
        for (std::size_t i = 0; i < static_cast<std::size_t>(depth); ++i) to[place++] = f(a[i], b[i], c[i], d[i], row.part, column.part);
      }
    }
  }
}

template <class T>
void bilinear_fixed(const Tensor& x, Tensor& y, const Mode& mode) {
  constexpr std::int64_t kOne = 1 << 10;
  const auto rows = between_fixed(x.dims()[1], y.dims()[1], mode);
  const auto columns = between_fixed(x.dims()[2], y.dims()[2], mode);
  blend<T>(x, y, rows, columns, [](T a, T b, T c, T d, std::int64_t v, std::int64_t h) {
    const std::int64_t sum = a * (kOne - v) * (kOne - h) + b * v * (kOne - h) + c * (kOne - v) * h + d * v * h;
    const std::int64_t half = sum > 0 ? 1 << 19 : -(1 << 19);
    return static_cast<T>((sum + half) / (1 << 20));
  });
}

template <class T>
void bilinear_floats(const Tensor& x, Tensor& y, const Mode& mode) {
  // Unsigned integers are blended as floats, and halves go up.
  constexpr float kHalf = std::is_integral_v<T> ? 0.5F : 0.0F;
  const auto rows = between_floats(x.dims()[1], y.dims()[1], mode);
  const auto columns = between_floats(x.dims()[2], y.dims()[2], mode);
  blend<T>(x, y, rows, columns, [](T a, T b, T c, T d, float v, float h) {
    const float sum = static_cast<float>(a) * (1 - v) * (1 - h) + static_cast<float>(b) * v * (1 - h) +
                      static_cast<float>(c) * (1 - v) * h + static_cast<float>(d) * v * h + kHalf;
    return static_cast<T>(sum);
  });
}

std::vector<std::int64_t> nearest(std::int64_t in, std::int64_t out, const Mode& mode) {
  const float step =
      mode.align && out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : static_cast<float>(in) / static_cast<float>(out);
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < out; ++i) {
    const float at = (static_cast<float>(i) + (mode.half ? 0.5F : 0.0F)) * step;
    const float whole = mode.align ? std::round(at) : std::floor(at);
    places.push_back(std::clamp<std::int64_t>(static_cast<std::int64_t>(whole), 0, in - 1));
  }
  return places;
}

void run_nearest(const Tensor& x, Tensor& y, const Mode& mode) {
  const auto rows = nearest(x.dims()[1], y.dims()[1], mode);
  const auto columns = nearest(x.dims()[2], y.dims()[2], mode);
  const ops::ElementCopier copy(x, y, x.dims()[3]);
  std::int64_t to = 0;
  for (std::int64_t n = 0; n < x.dims()[0]; ++n) {
    for (const std::int64_t row : rows) {
      for (const std::int64_t column : columns) copy(to++, (n * x.dims()[1] + row) * x.dims()[2] + column);
    }
  }
}

}  // namespace

Status infer_resize(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, kReal));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 4, "[N, H, W, C]"));
  MORU_RETURN_IF_ERROR(mode_of(context.node()));
  MORU_ASSIGN_OR_RETURN(const auto size, ops::constant_indices(context, 1));
  SymbolicShape y(4);
  if (size) {
    if (size->size() != 2 || (*size)[0] < 1 || (*size)[1] < 1)
      return ops::input_error(context, 1, "found another size, expected two numbers above 0");
    y[1] = Dim{(*size)[0], {}};
    y[2] = Dim{(*size)[1], {}};
  }
  if (const SymbolicShape* x = ops::shape_of(context, 0)) {
    if ((*x)[1].value == 0 || (*x)[2].value == 0) return ops::input_error(context, 0, "found an empty image, expected elements");
    y[0] = (*x)[0];
    y[3] = (*x)[3];
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status run_resize(EvalContext& context, Interpolation interpolation) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  MORU_ASSIGN_OR_RETURN(const Mode mode, mode_of(context.node));
  if (y.count() == 0) return {};
  if (interpolation == Interpolation::kNearest) {
    run_nearest(x, y, mode);
    return {};
  }
  switch (x.dtype()) {
    case DType::kInt8: bilinear_fixed<std::int8_t>(x, y, mode); break;
    case DType::kInt16: bilinear_fixed<std::int16_t>(x, y, mode); break;
    case DType::kUInt8: bilinear_floats<std::uint8_t>(x, y, mode); break;
    default: bilinear_floats<float>(x, y, mode); break;
  }
  return {};
}

}  // namespace moru::model::tflite_ops
