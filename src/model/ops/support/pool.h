// SPDX-License-Identifier: Apache-2.0
// What max and average pooling share: types, shapes and the walk over windows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/ops/support/loops.h"
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

/// Runs `reduce(plane, inside, padding)` for each output element of a pooling node.
template <class T, class F>
Status reference_pool(EvalContext& context, F reduce) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const auto in = std::span(x.dims()).subspan(2);
  const auto out = std::span(y.dims()).subspan(2);
  MORU_ASSIGN_OR_RETURN(const auto kernel, required_kernel(context.node));
  MORU_ASSIGN_OR_RETURN(auto window, read_window(context.node, kernel));
  resolve_padding(window, in);
  const std::int64_t in_size = product_of(in);
  const std::int64_t out_size = product_of(out);
  const std::int64_t planes = x.dims()[0] * x.dims()[1];
  const T* from = x.data<T>().data();
  T* to = y.mutable_data<T>().data();
  for_each_window(window, in, out, [&](std::int64_t output_offset, std::span<const std::int64_t> inside, std::int64_t padding) {
    for (std::int64_t plane = 0; plane < planes; ++plane)
      to[plane * out_size + output_offset] = reduce(from + plane * in_size, inside, padding);
  });
  return {};
}

}  // namespace moru::model::ops
