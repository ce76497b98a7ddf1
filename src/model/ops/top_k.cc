// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "model/ops/support/lines.h"
#include "model/ops/support/rewrite.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "any shape but a scalar"}, {"K", "int64 [1]: how many"}};
constexpr PortSpec kOutputs[] = {{"Values", "X's shape with K in the axis"}, {"Indices", "int64, as Values: their places in X", true}};
constexpr AttributeSpec kAttributes[] = {
    {"axis", AttributeKind::kInt, "the axis of one line; -1"},
    {"largest", AttributeKind::kInt, "0: the smallest ones; 1"},
    {"sorted", AttributeKind::kInt, "0: in any order (here they are sorted all the same); 1"},
};
constexpr OpExample kExamples[] = {{"The best two", R"(graph "top_k" {
  init x = float32[4] {1, 4, 3, 4}
  init k = int64[1] {2}
  values, indices = TopK(x, k)
  output values
  output indices
})",
                                    "float32[2] {4, 4}\nint64[2] {1, 3}"}};

Result<std::int64_t> read_k(const Tensor& k) {
  if (k.count() != 1 || k.data<std::int64_t>()[0] < 0) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("input 1 (K): found {} numbers{}, expected one of 0 or more", k.count(),
                                                         k.count() == 1 ? fmt::format(", {}", k.data<std::int64_t>()[0]) : ""));
  }
  return k.data<std::int64_t>()[0];
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kNumbers));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kInt64}));
  MORU_RETURN_IF_ERROR(ops::check_axis(context, -1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given, int_attribute(context.node(), "axis", -1));
  std::optional<SymbolicShape> shape;
  if (const SymbolicShape* x = ops::shape_of(context, 0)) {
    MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given, x->size()));
    Dim extent;
    if (const Tensor* k = context.constant(1)) {
      MORU_ASSIGN_OR_RETURN(extent.value, read_k(*k));
      const Dim& found = (*x)[axis];
      if (found.known() && extent.value > found.value)
        return ops::input_error(context, 1, fmt::format("found {}, expected at most the extent {}", extent.value, found.value));
    }
    shape = *x;
    (*shape)[axis] = extent;
  }
  context.set_output(0, {context.input(0).dtype, shape});
  context.set_output(1, {DType::kInt64, shape});
  return {};
}

/// Puts the first `k` places of the order first; of equal elements the lower place, and NaN counts as the largest.
template <class W>
void order_line(std::span<const W> line, bool largest, std::size_t k, std::vector<std::int64_t>& order) {
  order.resize(line.size());
  std::iota(order.begin(), order.end(), 0);
  const auto above = [](W a, W b) { return a > b || (ops::is_nan(a) && !ops::is_nan(b)); };
  const auto before = [&](std::int64_t i, std::int64_t j) {
    const W a = line[static_cast<std::size_t>(i)];
    const W b = line[static_cast<std::size_t>(j)];
    if (above(a, b)) return largest;
    if (above(b, a)) return !largest;
    return i < j;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(), before);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::axis_of(context, -1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t largest, int_attribute(context.node, "largest", 1));
  const ops::Lines in = ops::lines_along(context.input(0).dims(), axis);
  const ops::Lines out = ops::lines_along(context.outputs[0].dims(), axis);
  return ops::for_number_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    const auto x = context.input(0).data<T>();
    const auto values = context.outputs[0].mutable_data<T>();
    std::vector<ops::Wide<T>> line(static_cast<std::size_t>(in.extent));
    std::vector<std::int64_t> order;
    for (std::int64_t n = 0; n < in.count; ++n) {
      for (std::size_t i = 0; i < line.size(); ++i) line[i] = ops::widen(x[in.start(n) + i * static_cast<std::size_t>(in.inner)]);
      order_line<ops::Wide<T>>(line, largest != 0, static_cast<std::size_t>(out.extent), order);
      for (std::size_t i = 0; i < static_cast<std::size_t>(out.extent); ++i) {
        const std::size_t at = out.start(n) + i * static_cast<std::size_t>(out.inner);
        values[at] = ops::narrow<T>(line[static_cast<std::size_t>(order[i])]);
        if (context.outputs.size() > 1) context.outputs[1].mutable_data<std::int64_t>()[at] = order[i];
      }
    }
    return {};
  });
}

/// Before opset 10 K was an attribute.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 10) return {};
  MORU_RETURN_IF_ERROR(ops::expect_inputs(rewrite, 1));
  MORU_ASSIGN_OR_RETURN(const std::int64_t k, int_attribute(rewrite.node, "k", -1));
  ops::drop_attribute(rewrite, "k");
  rewrite.node.inputs.resize(2);
  rewrite.node.inputs[1] = ops::add_ints(rewrite, "k", std::vector{k});
  return {};
}

}  // namespace

extern const OpSpec kOp_top_k;
constinit const OpSpec kOp_top_k{.name = "TopK",
                                 .domain = "",
                                 .since = 1,
                                 .doc =
                                     "Along one axis, any shape: the K largest (or smallest) elements, best first, and their places. Of "
                                     "equal ones the lower place is first; NaN is larger than all numbers.",
                                 .inputs = kInputs,
                                 .outputs = kOutputs,
                                 .attributes = kAttributes,
                                 .infer = infer,
                                 .reference = reference,
                                 .examples = kExamples,
                                 .gaps = {},
                                 .upgrade = upgrade};

}  // namespace moru::model
