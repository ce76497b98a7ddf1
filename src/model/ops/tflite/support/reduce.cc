// SPDX-License-Identifier: Apache-2.0
#include "model/ops/tflite/support/reduce.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "model/ops/support/types.h"

namespace moru::model::tflite_ops {
namespace {

/// The axes, ascending, each once.
Result<std::vector<std::size_t>> axes_of(std::span<const std::int64_t> given, std::size_t rank) {
  std::vector<std::size_t> axes;
  for (const std::int64_t axis : given) {
    if (rank == 0) break;
    MORU_ASSIGN_OR_RETURN(const std::size_t normal, ops::normalize_axis(axis, rank));
    if (std::ranges::find(axes, normal) == axes.end()) axes.push_back(normal);
  }
  std::ranges::sort(axes);
  return axes;
}

/// joined[place of the output] = f(joined, x[i]) for each element in order.
template <class T, class S, class F>
void join(const Tensor& x, std::span<const std::size_t> axes, std::vector<S>& joined, F f) {
  if (x.count() == 0) return;
  std::vector<std::int64_t> strides(x.rank(), 0);
  std::int64_t stride = 1;
  for (std::size_t axis = x.rank(); axis-- > 0;) {
    if (std::ranges::find(axes, axis) != axes.end()) continue;
    strides[axis] = stride;
    stride *= x.dims()[axis];
  }
  std::vector<std::int64_t> index(x.rank(), 0);
  const auto data = x.data<T>();
  std::size_t i = 0;
  do {
    std::int64_t place = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) place += index[axis] * strides[axis];
    S& one = joined[static_cast<std::size_t>(place)];
    one = f(one, data[i++]);
  } while (ops::next_index(index, x.dims()));
}

/// What remains of a sum of `count` integers on the input's scale, on the output's. The division joins the multiplier.
Multiplier mean_multiplier(double real, std::int64_t count) {
  Multiplier multiplier = quantize_multiplier(real);
  int shift = 63 - std::countl_zero(static_cast<std::uint64_t>(count));
  shift = std::clamp(std::min(shift, 31 + multiplier.shift), 0, 32);
  multiplier.value = static_cast<std::int32_t>((std::int64_t{multiplier.value} << static_cast<unsigned>(shift)) / count);
  multiplier.shift -= shift;
  return multiplier;
}

template <class T>
Status reduce_quantised(EvalContext& context, std::span<const std::size_t> axes, std::int64_t count, bool mean) {
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  const double real = static_cast<double>(in.scale) / static_cast<double>(out.scale);
  const Multiplier multiplier = mean ? mean_multiplier(real, count) : quantize_multiplier(real);
  const auto y = context.outputs[0].mutable_data<T>();
  std::vector<std::int64_t> sums(y.size(), 0);
  join<T>(context.input(0), axes, sums, [](std::int64_t sum, T value) { return sum + value; });
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto sum = ops::narrow<std::int32_t>(sums[i] - count * in.zero_point);
    const std::int64_t level = std::int64_t{scale(sum, multiplier)} + out.zero_point;
    y[i] = static_cast<T>(std::clamp<std::int64_t>(level, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
  return {};
}

template <class T>
Status reduce_numbers(EvalContext& context, std::span<const std::size_t> axes, std::int64_t count, Reduction reduction) {
  using W = ops::Wide<T>;
  const auto y = context.outputs[0].mutable_data<T>();
  W start = reduction == Reduction::kProduct ? W{1} : W{0};
  if (reduction == Reduction::kMax) start = ops::widen(std::numeric_limits<T>::lowest());
  if (reduction == Reduction::kMin) start = ops::widen(std::numeric_limits<T>::max());
  std::vector<W> joined(y.size(), start);
  join<T>(context.input(0), axes, joined, [&](W so_far, T value) {
    const W wide = ops::widen(value);
    switch (reduction) {
      case Reduction::kMax: return std::max(so_far, wide);
      case Reduction::kMin: return std::min(so_far, wide);
      case Reduction::kProduct: return ops::wrap_multiply(so_far, wide);
      default: return ops::wrap_add(so_far, wide);
    }
  });
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = ops::narrow<T>(reduction == Reduction::kMean && count != 0 ? joined[i] / static_cast<W>(count) : joined[i]);
  }
  return {};
}

Status reduce_bools(EvalContext& context, std::span<const std::size_t> axes, bool any) {
  const auto y = context.outputs[0].mutable_data<bool>();
  std::vector<std::uint8_t> joined(y.size(), any ? 0 : 1);
  join<bool>(context.input(0), axes, joined, [&](std::uint8_t so_far, bool value) {
    return static_cast<std::uint8_t>(any ? (so_far != 0 || value) : (so_far != 0 && value));
  });
  std::ranges::transform(joined, y.begin(), [](std::uint8_t value) { return value != 0; });
  return {};
}

/// Sums of 8 bits stay as they are when nothing has to be rescaled.
Result<bool> needs_rescale(const EvalContext& context, Reduction reduction) {
  if (reduction == Reduction::kMean) return true;
  if (reduction != Reduction::kSum || !is_quantized(context.input_types, 0)) return false;
  MORU_ASSIGN_OR_RETURN(const Scale in, input_scale(context, 0));
  MORU_ASSIGN_OR_RETURN(const Scale out, output_scale(context));
  return in.scale != out.scale;
}

}  // namespace

Status infer_reduce(InferContext& context, std::initializer_list<DType> allowed) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, allowed));
  MORU_ASSIGN_OR_RETURN(const std::int64_t keep, int_attribute(context.node(), "keep_dims", 0));
  MORU_ASSIGN_OR_RETURN(const auto given, ops::constant_indices(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr || (!given && keep == 0)) return {};
  if (!given) {
    context.set_output(0, {context.input(0).dtype, SymbolicShape(x->size())});
    return {};
  }
  MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 1), const auto axes, axes_of(*given, x->size()));
  SymbolicShape y;
  for (std::size_t axis = 0; axis < x->size(); ++axis) {
    if (std::ranges::find(axes, axis) == axes.end()) {
      y.push_back((*x)[axis]);
    } else if (keep != 0) {
      y.push_back(Dim{1, {}});
    }
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status run_reduce(EvalContext& context, Reduction reduction) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const auto axes, axes_of(ops::to_ints(context.input(1)), x.rank()));
  std::int64_t count = 1;
  for (const std::size_t axis : axes) count *= x.dims()[axis];
  if (x.dtype() == DType::kBool) return reduce_bools(context, axes, reduction == Reduction::kAny);
  if (x.dtype() == DType::kInt8 || x.dtype() == DType::kUInt8 || x.dtype() == DType::kInt16) {
    MORU_ASSIGN_OR_RETURN(const bool rescale, needs_rescale(context, reduction));
    if (rescale && count != 0) {
      return ops::for_dtype<std::int8_t, std::uint8_t, std::int16_t>(
          x.dtype(), [&]<class T>() { return reduce_quantised<T>(context, axes, count, reduction == Reduction::kMean); });
    }
  }
  return ops::for_dtype<float, std::int8_t, std::uint8_t, std::int16_t, std::int32_t, std::int64_t>(
      x.dtype(), [&]<class T>() { return reduce_numbers<T>(context, axes, count, reduction); });
}

}  // namespace moru::model::tflite_ops
