// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/pool.h"

#include <algorithm>
#include <cmath>

#include "model/ops/support/loops.h"

namespace moru::model::tflite_ops {
namespace {

Result<Slides> window_of(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t h, int_attribute(node, "filter_height", 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t w, int_attribute(node, "filter_width", 1));
  return slides_of(node, h, w);
}

/// The elements of one channel under one place of the window: the first, how many rows and columns.
struct Window {
  std::int64_t first = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};

/// Calls finish(place, window) for each output element; offsets are of x.
template <class F>
void for_each_window(const Dims& x, const Dims& y, const Slides& slides, F finish) {
  const std::int64_t top = slides.h.before(x[1], y[1]);
  const std::int64_t left = slides.w.before(x[2], y[2]);
  std::size_t place = 0;
  for (std::int64_t n = 0; n < y[0]; ++n) {
    for (std::int64_t i = 0; i < y[1] * y[2]; ++i) {
      const std::int64_t y0 = i / y[2] * slides.h.stride - top;
      const std::int64_t x0 = i % y[2] * slides.w.stride - left;
      const std::int64_t first_row = std::max<std::int64_t>(y0, 0);
      const std::int64_t first_column = std::max<std::int64_t>(x0, 0);
      const std::int64_t rows = std::min(y0 + slides.h.kernel, x[1]) - first_row;
      const std::int64_t columns = std::min(x0 + slides.w.kernel, x[2]) - first_column;
      for (std::int64_t c = 0; c < y[3]; ++c)
        finish(place++, Window{((n * x[1] + first_row) * x[2] + first_column) * x[3] + c, rows, columns});
    }
  }
}

/// f(element) for each element of a window.
template <class T, class F>
void for_each_element(const T* data, const Dims& x, const Window& window, F f) {
  for (std::int64_t row = 0; row < window.rows; ++row) {
    for (std::int64_t column = 0; column < window.columns; ++column) f(data[window.first + (row * x[2] + column) * x[3]]);
  }
}

/// Rounded to nearest, halves away from zero; of unsigned sums halves go up, which is the same.
std::int64_t rounded_mean(std::int64_t sum, std::int64_t count) { return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count; }

template <class T, class F>
Status pool(EvalContext& context, const Slides& slides, F reduce) {
  const Tensor& x = context.input(0);
  const auto y = context.outputs[0].mutable_data<T>();
  for_each_window(x.dims(), context.outputs[0].dims(), slides,
                  [&](std::size_t place, const Window& window) { y[place] = reduce(x.data<T>().data(), x.dims(), window); });
  return {};
}

Status pool_floats(EvalContext& context, const Slides& slides, PoolKind kind) {
  MORU_ASSIGN_OR_RETURN(const auto range, float_range(context.node));
  return pool<float>(context, slides, [&](const float* data, const Dims& x, const Window& window) {
    const auto count = static_cast<double>(window.rows * window.columns);
    double sum = 0;
    float largest = std::numeric_limits<float>::lowest();
    for_each_element(data, x, window, [&](float value) {
      sum += kind == PoolKind::kL2 ? static_cast<double>(value) * static_cast<double>(value) : static_cast<double>(value);
      largest = std::max(largest, value);
    });
    const double result = kind == PoolKind::kL2 ? std::sqrt(sum / count) : sum / count;
    return std::clamp(kind == PoolKind::kMax ? largest : static_cast<float>(result), range.first, range.second);
  });
}

template <class T>
Status pool_integers(EvalContext& context, const Slides& slides, PoolKind kind) {
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  MORU_ASSIGN_OR_RETURN(const auto range, stored_range(context.node, context.outputs[0].dtype(), out));
  return pool<T>(context, slides, [&](const T* data, const Dims& x, const Window& window) {
    std::int64_t sum = 0;
    std::int64_t largest = std::numeric_limits<T>::min();
    for_each_element(data, x, window, [&](T value) {
      sum += value;
      largest = std::max<std::int64_t>(largest, value);
    });
    const std::int64_t result = kind == PoolKind::kMax ? largest : rounded_mean(sum, window.rows * window.columns);
    return static_cast<T>(std::clamp<std::int64_t>(result, range.first, range.second));
  });
}

}  // namespace

Status infer_pool(InferContext& context, std::initializer_list<DType> allowed) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, allowed));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 4, "[N, H, W, C]"));
  MORU_ASSIGN_OR_RETURN(const Slides slides, window_of(context.node()));
  SymbolicShape y(4);
  if (const SymbolicShape* x = ops::shape_of(context, 0)) {
    y[0] = (*x)[0];
    MORU_ASSIGN_OR_RETURN_IN("H", y[1], slides.h.places((*x)[1]));
    MORU_ASSIGN_OR_RETURN_IN("W", y[2], slides.w.places((*x)[2]));
    y[3] = (*x)[3];
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status run_pool(EvalContext& context, PoolKind kind) {
  if (context.outputs[0].count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const Slides slides, window_of(context.node));
  if (context.input(0).dtype() == DType::kFloat32) return pool_floats(context, slides, kind);
  return ops::for_dtype<std::int8_t, std::uint8_t, std::int16_t>(context.input(0).dtype(),
                                                                 [&]<class T>() { return pool_integers<T>(context, slides, kind); });
}

}  // namespace moru::model::tflite_ops
