// SPDX-License-Identifier: Apache-2.0
// Ops that work along one axis: where its lines lie.
#pragma once

#include "model/ops/support/shape.h"
#include "model/ops/support/types.h"

namespace moru::model::ops {

/// The lines along one axis of a tensor: `extent` elements each, `inner` apart.
struct Lines {
  std::int64_t extent = 1;
  std::int64_t inner = 1;
  std::int64_t count = 0;
  /// The first element of a line.
  std::size_t start(std::int64_t line) const { return static_cast<std::size_t>(line / inner * inner * extent + line % inner); }
};
Lines lines_along(const Dims& dims, std::size_t axis);

/// Checks attribute `axis` against the rank of input 0, if that is known.
Status check_axis(const InferContext& context, std::int64_t fallback);
/// Attribute `axis` for input 0.
Result<std::size_t> axis_of(const EvalContext& context, std::int64_t fallback);

/// output = f(input) for each line of floats along attribute `axis`: f(span<const double> in, span<double> out).
template <class F>
Status map_lines(EvalContext& context, std::int64_t default_axis, F f) {
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, axis_of(context, default_axis));
  const Lines lines = lines_along(context.input(0).dims(), axis);
  return for_float_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    const auto from = context.input(0).data<T>();
    const auto to = context.outputs[0].mutable_data<T>();
    const auto inner = static_cast<std::size_t>(lines.inner);
    std::vector<double> in(static_cast<std::size_t>(lines.extent));
    std::vector<double> out(in.size());
    for (std::int64_t line = 0; line < lines.count; ++line) {
      const std::size_t start = lines.start(line);
      for (std::size_t i = 0; i < in.size(); ++i) in[i] = widen(from[start + i * inner]);
      f(std::span<const double>(in), std::span<double>(out));
      for (std::size_t i = 0; i < in.size(); ++i) to[start + i * inner] = narrow<T>(out[i]);
    }
    return {};
  });
}

/// What Softmax, LogSoftmax and Hardmax share: Y is as X, floats, along attribute `axis` (-1).
Status infer_softmax(InferContext& context);
/// Before opset 13 the default axis was 1, and that axis and all behind it were taken as one.
Status upgrade_softmax(NodeRewrite& rewrite);

inline constexpr PortSpec kSoftmaxInputs[] = {{"input", "any shape but a scalar"}};
inline constexpr PortSpec kSoftmaxOutputs[] = {{"output", "as input"}};
inline constexpr AttributeSpec kSoftmaxAttributes[] = {{"axis", AttributeKind::kInt, "the axis of one line; -1"}};

constexpr OpSpec softmax_op(std::string_view name, std::string_view doc, Status (*reference)(EvalContext&),
                            std::span<const OpExample> examples) {
  return {.name = name,
          .domain = "",
          .since = 1,
          .doc = doc,
          .inputs = kSoftmaxInputs,
          .outputs = kSoftmaxOutputs,
          .attributes = kSoftmaxAttributes,
          .infer = infer_softmax,
          .reference = reference,
          .examples = examples,
          .gaps = {},
          .upgrade = upgrade_softmax};
}

/// What ArgMax and ArgMin share.
Status infer_arg(InferContext& context);

inline constexpr PortSpec kArgInputs[] = {{"data", "any shape but a scalar"}};
inline constexpr PortSpec kArgOutputs[] = {{"reduced", "int64, data's shape with 1 in the axis, or without it"}};
inline constexpr AttributeSpec kArgAttributes[] = {
    {"axis", AttributeKind::kInt, "the axis of one line; 0"},
    {"keepdims", AttributeKind::kInt, "1: the axis stays with extent 1; 1"},
    {"select_last_index", AttributeKind::kInt, "1: of equal elements the last one counts, else the first; 0"},
};

/// The place in each line of the element that is_better than all others.
template <class F>
Status reference_arg(EvalContext& context, F is_better) {
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, axis_of(context, 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t last, int_attribute(context.node, "select_last_index", 0));
  const Lines lines = lines_along(context.input(0).dims(), axis);
  if (lines.extent == 0 && context.outputs[0].count() > 0)
    return fail(ErrorCode::kInvalidArgument, "input 0 (data): found lines without elements, expected at least one element");
  return for_number_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    const auto data = context.input(0).data<T>();
    const auto out = context.outputs[0].mutable_data<std::int64_t>();
    for (std::int64_t line = 0; line < lines.count; ++line) {
      const auto at = [&](std::int64_t i) { return widen(data[lines.start(line) + static_cast<std::size_t>(i * lines.inner)]); };
      std::int64_t best = 0;
      for (std::int64_t i = 1; i < lines.extent; ++i) {
        if (is_better(at(i), at(best)) || (last != 0 && at(i) == at(best))) best = i;
      }
      out[static_cast<std::size_t>(line)] = best;
    }
    return {};
  });
}

constexpr OpSpec arg_op(std::string_view name, std::string_view doc, Status (*reference)(EvalContext&),
                        std::span<const OpExample> examples) {
  return {.name = name,
          .domain = "",
          .since = 1,
          .doc = doc,
          .inputs = kArgInputs,
          .outputs = kArgOutputs,
          .attributes = kArgAttributes,
          .infer = infer_arg,
          .reference = reference,
          .examples = examples};
}

}  // namespace moru::model::ops
