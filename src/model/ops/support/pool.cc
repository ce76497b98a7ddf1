// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/pool.h"

#include <fmt/format.h>

#include <algorithm>

namespace moru::model::ops {

Status infer_pool(InferContext& context, std::initializer_list<DType> allowed) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, 0, allowed));
  MORU_ASSIGN_OR_RETURN(const auto kernel, required_kernel(context.node()));
  MORU_ASSIGN_OR_RETURN(const auto window, read_window(context.node(), kernel));
  MORU_RETURN_IF_ERROR(expect_rank(context, 0, kernel.size() + 2, "[N, C, spatial...] with an axis a number in kernel_shape"));
  for (std::size_t i = 0; i < window.rank(); ++i) {
    if (window.pads_begin[i] >= window.reach(i) || window.pads_end[i] >= window.reach(i)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("attribute 'pads': found {} and {} on spatial axis {}, expected less than the kernel's {}",
                              window.pads_begin[i], window.pads_end[i], i, window.reach(i)));
    }
  }
  const SymbolicShape* x = shape_of(context, 0);
  if (x == nullptr) {
    context.set_output(0, {context.input(0).dtype, std::nullopt});
    return {};
  }
  SymbolicShape y = *x;
  MORU_ASSIGN_OR_RETURN(const auto extents, output_extents(window, std::span(*x).subspan(2)));
  std::ranges::copy(extents, y.begin() + 2);
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Result<Pool> read_pool(const EvalContext& context) {
  const Dims& x = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const auto kernel, required_kernel(context.node));
  Pool pool;
  MORU_ASSIGN_OR_RETURN(pool.window, read_window(context.node, kernel));
  pool.in = std::span(x).subspan(2);
  pool.out = std::span(context.outputs[0].dims()).subspan(2);
  resolve_padding(pool.window, pool.in);
  pool.planes = x[0] * x[1];
  pool.in_size = product_of(pool.in);
  pool.out_size = product_of(pool.out);
  return pool;
}

Result<double> read_norm(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t p, int_attribute(node, "p", 2));
  if (p < 1) return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'p': found {}, expected 1 or more", p));
  return static_cast<double>(p);
}

Status infer_global_pool(InferContext& context) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, 0, kReals));
  ValueType type = context.input(0);
  if (type.shape && type.shape->size() < 3)
    return input_error(context, 0, fmt::format("found shape {}, expected [N, C, spatial...]", to_string(*type.shape)));
  if (type.shape) std::fill(type.shape->begin() + 2, type.shape->end(), Dim{1, {}});
  context.set_output(0, std::move(type));
  return {};
}

}  // namespace moru::model::ops
