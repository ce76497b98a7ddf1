// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/convolution.h"

#include <fmt/format.h>

namespace moru::model::ops {
namespace {

/// Channels and groups fit each other.
Status check_channels(const InferContext& context, std::size_t x_index, std::size_t w_index, std::int64_t group) {
  const SymbolicShape& x = *shape_of(context, x_index);
  const SymbolicShape& w = *shape_of(context, w_index);
  if (w[0].known() && w[0].value % group != 0) {
    return input_error(context, w_index, fmt::format("found {} output channels, expected a multiple of group {}", w[0].value, group));
  }
  if (!x[1].known() || !w[1].known()) return {};
  if (x[1].value % group != 0 || x[1].value / group != w[1].value) {
    return input_error(context, w_index,
                       fmt::format("found {} channels a group in {}, expected {} / {} as of {}", w[1].value, to_string(w), x[1].value,
                                   group, input_label(context, x_index)));
  }
  return {};
}

}  // namespace

Result<std::int64_t> read_group(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t group, int_attribute(node, "group", 1));
  if (group >= 1 && group <= kMaxExtent) return group;
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'group': found {}, expected 1 or more", group));
}

Result<std::optional<SymbolicShape>> infer_convolution(const InferContext& context, std::size_t x_index, std::size_t w_index,
                                                       std::optional<std::size_t> b_index) {
  const SymbolicShape* x = shape_of(context, x_index);
  const SymbolicShape* w = shape_of(context, w_index);
  MORU_ASSIGN_OR_RETURN(const std::int64_t group, read_group(context.node()));
  if (x == nullptr || w == nullptr) return std::nullopt;
  if (x->size() < 3) return input_error(context, x_index, fmt::format("found shape {}, expected [N, C, spatial...]", to_string(*x)));
  MORU_RETURN_IF_ERROR(expect_rank(context, w_index, x->size(), "[O, C/group, kernel...]"));
  MORU_RETURN_IF_ERROR(check_channels(context, x_index, w_index, group));
  if (b_index && context.has_input(*b_index)) {
    MORU_RETURN_IF_ERROR(expect_rank(context, *b_index, 1, "[O]"));
    MORU_RETURN_IF_ERROR(expect_extent(context, *b_index, 0, (*w)[0], "an entry an output channel"));
  }

  SymbolicShape y(x->size());
  y[0] = (*x)[0];
  y[1] = (*w)[0];
  std::vector<std::int64_t> kernel;
  for (std::size_t i = 2; i < w->size(); ++i) kernel.push_back((*w)[i].value);
  const bool known = std::ranges::none_of(kernel, [](std::int64_t k) { return k < 0; });
  if (known || context.node().attributes.contains("kernel_shape")) {
    MORU_ASSIGN_OR_RETURN(const auto window, read_window(context.node(), kernel));
    for (std::size_t i = 0; i < window.rank(); ++i)
      MORU_RETURN_IF_ERROR(expect_extent(context, w_index, i + 2, {window.kernel[i], {}}, "kernel_shape"));
    MORU_ASSIGN_OR_RETURN(const auto extents, output_extents(window, std::span(*x).subspan(2)));
    std::ranges::copy(extents, y.begin() + 2);
  }
  return y;
}

std::optional<std::int64_t> convolution_macs(const InferContext& context, std::size_t w) {
  const SymbolicShape* shape = shape_of(context, w);
  if (shape == nullptr || shape->empty()) return std::nullopt;
  return macs_of(context, std::span<const Dim>(*shape).subspan(1));
}

Result<Convolution> read_convolution(const Node& node, const Dims& x, const Dims& w, const Dims& y) {
  Convolution convolution{.batch = x[0],
                          .channels = x[1],
                          .outputs = w[0],
                          .group = 1,
                          .in = {x.begin() + 2, x.end()},
                          .out = {y.begin() + 2, y.end()},
                          .window = {}};
  MORU_ASSIGN_OR_RETURN(convolution.group, read_group(node));
  MORU_ASSIGN_OR_RETURN(convolution.window, read_window(node, std::span(w).subspan(2)));
  resolve_padding(convolution.window, convolution.in);
  return convolution;
}

}  // namespace moru::model::ops
