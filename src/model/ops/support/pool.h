// SPDX-License-Identifier: Apache-2.0
// What pooling ops share: types, shapes and the walk over windows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/window.h"

namespace moru::model::ops {

/// X [N, C, spatial...] -> Y [N, C, spatial...].
Status infer_pool(InferContext& context, std::initializer_list<DType> allowed);

/// Calls visit(output_offset, inside, padding) for each window of one [spatial...] plane, where `inside` are the offsets
/// of its elements and `padding` the number of its taps that lie in the padding (not of those beyond it).
template <class F>
void for_each_window(const Window& window, std::span<const std::int64_t> in, std::span<const std::int64_t> out, F visit) {
  const auto strides = strides_of(in);
  std::vector<std::int64_t> at(out.size(), 0);
  std::vector<std::int64_t> tap(out.size(), 0);
  std::vector<std::int64_t> inside;
  std::int64_t output_offset = 0;
  do {
    inside.clear();
    std::int64_t padding = 0;
    do {
      std::int64_t offset = 0;
      bool in_data = true;
      bool in_padding = true;
      for (std::size_t axis = 0; axis < in.size(); ++axis) {
        const std::int64_t position = at[axis] * window.strides[axis] - window.pads_begin[axis] + tap[axis] * window.dilations[axis];
        in_data = in_data && position >= 0 && position < in[axis];
        in_padding = in_padding && position < in[axis] + window.pads_end[axis];
        offset += position * strides[axis];
      }
      if (in_data) {
        inside.push_back(offset);
      } else if (in_padding) {
        ++padding;
      }
    } while (next_index(tap, window.kernel));
    visit(output_offset++, std::span<const std::int64_t>(inside), padding);
  } while (next_index(at, out));
}

/// What a pooling node's windows go over.
struct Pool {
  Window window;  ///< with its padding resolved
  std::int64_t planes = 0;
  std::int64_t in_size = 0;   ///< elements of a plane of X
  std::int64_t out_size = 0;  ///< and of Y
  std::span<const std::int64_t> in;
  std::span<const std::int64_t> out;
};
Result<Pool> read_pool(const EvalContext& context);

/// Calls visit(plane, output_offset, inside, padding) for each output element of a pooling node; not for an empty one.
template <class F>
Status visit_pool(const EvalContext& context, F visit) {
  if (context.outputs[0].count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const Pool pool, read_pool(context));
  for_each_window(pool.window, pool.in, pool.out,
                  [&](std::int64_t output_offset, std::span<const std::int64_t> inside, std::int64_t padding) {
                    for (std::int64_t plane = 0; plane < pool.planes; ++plane)
                      visit(plane * pool.in_size, plane * pool.out_size + output_offset, inside, padding);
                  });
  return {};
}

/// output 0 = reduce(plane, inside, padding) for each element, in double.
template <class F>
Status reference_real_pool(EvalContext& context, F reduce) {
  MORU_ASSIGN_OR_RETURN(const Tensor x, to_float64(context.input(0)));
  const double* from = x.data<double>().data();
  return for_float_dtype(context.input(0).dtype(), [&]<class T>() {
    const auto y = context.outputs[0].mutable_data<T>();
    return visit_pool(context, [&](std::int64_t plane, std::int64_t at, std::span<const std::int64_t> inside, std::int64_t padding) {
      y[static_cast<std::size_t>(at)] = rounded<T>(reduce(from + plane, inside, padding));
    });
  });
}

/// 'p' of a norm, 1 or more; 2.
Result<double> read_norm(const Node& node);

/// X [N, C, spatial...] -> Y [N, C, 1...].
Status infer_global_pool(InferContext& context);

/// output 0 = reduce(elements of a plane), in double.
template <class F>
Status reference_global_pool(EvalContext& context, F reduce) {
  MORU_ASSIGN_OR_RETURN(const Tensor x, to_float64(context.input(0)));
  const auto from = x.data<double>();
  const auto size = static_cast<std::size_t>(product_of(std::span(x.dims()).subspan(2)));
  return for_float_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    std::size_t plane = 0;
    for (T& y : context.outputs[0].mutable_data<T>()) y = rounded<T>(reduce(from.subspan(plane++ * size, size)));
    return {};
  });
}

}  // namespace moru::model::ops
