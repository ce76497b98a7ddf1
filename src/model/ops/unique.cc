// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <compare>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "numbers or bool"}};
constexpr PortSpec kOutputs[] = {{"Y", "[n], or X with the n different slices of axis"},
                                 {"indices", "int64 [n]: where each stands first", true},
                                 {"inverse_indices", "int64 [elements, or extent of axis]: which of Y each is", true},
                                 {"counts", "int64 [n]: how often each is there", true}};
constexpr AttributeSpec kAttributes[] = {
    {"axis", AttributeKind::kInt, "slices of this axis are compared; left out: single elements"},
    {"sorted", AttributeKind::kInt, "1: Y ascends (NaN last); 0: in the order of first occurrence; 1"}};
constexpr OpExample kExamples[] = {{"Values, where they are, and how often", R"(graph "unique" {
  init x = float32[4] {3, 1, 3, 2}
  y, indices, inverse, counts = Unique(x)
  output y
  output indices
  output inverse
  output counts
})",
                                    "float32[3] {1, 2, 3}\nint64[3] {1, 3, 0}\nint64[4] {2, 0, 2, 1}\nint64[3] {1, 1, 2}"}};

/// The axis, or nullopt for single elements.
Result<std::optional<std::size_t>> axis_of(const Node& node, std::size_t rank) {
  if (!node.attributes.contains("axis")) return std::nullopt;
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t at, ops::normalize_axis(axis, rank));
  return std::optional(at);
}

Status infer(InferContext& context) {
  if (const auto dtype = context.input(0).dtype) {
    MORU_RETURN_IF_ERROR_IN(ops::input_label(context, 0), ops::for_number_or_bool_dtype(*dtype, []<class T>() -> Status { return {}; }));
  }
  const SymbolicShape* x = ops::shape_of(context, 0);
  std::optional<SymbolicShape> y;
  Dim items;
  if (x != nullptr) {
    MORU_ASSIGN_OR_RETURN(const auto axis, axis_of(context.node(), x->size()));
    MORU_ASSIGN_OR_RETURN(const Dim count, ops::product(*x));
    items = axis ? (*x)[*axis] : count;
    y = axis ? *x : SymbolicShape(1);
    (*y)[axis.value_or(0)] = Dim{};
  } else if (!context.node().attributes.contains("axis")) {
    y = SymbolicShape(1);
  }
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  context.set_output(1, {DType::kInt64, SymbolicShape(1)});
  context.set_output(2, {DType::kInt64, SymbolicShape{items}});
  context.set_output(3, {DType::kInt64, SymbolicShape(1)});
  return {};
}

/// NaNs are one value, behind all others.
template <class T>
std::weak_ordering compare(T a, T b) {
  if (a < b) return std::weak_ordering::less;
  if (b < a) return std::weak_ordering::greater;
  return ops::is_nan(a) <=> ops::is_nan(b);
}

/// X as items side by side: item i has `size` elements, `stride` between two of a run, runs of `inner`.
struct Items {
  std::int64_t count = 0;
  std::int64_t outer = 1;
  std::int64_t inner = 1;
  std::int64_t place(std::int64_t item, std::int64_t element) const { return (element / inner * count + item) * inner + element % inner; }
};

struct Groups {
  std::vector<std::int64_t> first;    ///< of each group the item that stands first in X
  std::vector<std::int64_t> inverse;  ///< of each item its group
  std::vector<std::int64_t> counts;
};

template <class T>
Groups group(const Tensor& x, const Items& items, bool sorted) {
  const auto values = x.data<T>();
  const auto order_of = [&](std::int64_t a, std::int64_t b) {
    for (std::int64_t i = 0; i < items.outer * items.inner; ++i) {
      const auto order =
          compare<T>(values[static_cast<std::size_t>(items.place(a, i))], values[static_cast<std::size_t>(items.place(b, i))]);
      if (order != 0) return order;
    }
    return std::weak_ordering::equivalent;
  };
  auto order = ops::all_axes(static_cast<std::size_t>(items.count));
  std::ranges::sort(order, [&](std::int64_t a, std::int64_t b) {
    const auto difference = order_of(a, b);
    return difference != 0 ? difference < 0 : a < b;
  });
  std::vector<std::vector<std::int64_t>> groups;
  for (const std::int64_t item : order) {
    if (groups.empty() || order_of(groups.back().front(), item) != 0) groups.emplace_back();
    groups.back().push_back(item);
  }
  if (!sorted) std::ranges::sort(groups, {}, [](const auto& one) { return one.front(); });
  Groups result{{}, std::vector<std::int64_t>(order.size()), {}};
  for (const auto& one : groups) {
    for (const std::int64_t item : one) result.inverse[static_cast<std::size_t>(item)] = std::ssize(result.first);
    result.first.push_back(one.front());
    result.counts.push_back(std::ssize(one));
  }
  return result;
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const auto axis, axis_of(context.node, x.rank()));
  MORU_ASSIGN_OR_RETURN(const std::int64_t sorted, int_attribute(context.node, "sorted", 1));
  Items items{x.count(), 1, 1};
  Dims dims{0};
  if (axis) {
    dims = x.dims();
    items = {dims[*axis], ops::product_of(std::span(dims).first(*axis)), ops::product_of(std::span(dims).subspan(*axis + 1))};
  }
  if (x.count() == 0 && items.count > 0) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("input 0 (X): found {} slices without elements, expected some", items.count));
  }
  Groups groups;
  MORU_RETURN_IF_ERROR(ops::for_number_or_bool_dtype(x.dtype(), [&]<class T>() -> Status {
    groups = group<T>(x, items, sorted != 0);
    return {};
  }));
  const auto count = std::ssize(groups.first);
  dims[axis.value_or(0)] = count;
  MORU_ASSIGN_OR_RETURN(Tensor y, Tensor::create(x.dtype(), dims));
  const ops::ElementCopier copy(x, y, items.inner);
  for (std::int64_t i = 0; y.count() > 0 && i < items.outer * count; ++i) {
    copy(i, i / count * items.count + groups.first[static_cast<std::size_t>(i % count)]);
  }
  context.outputs[0] = std::move(y);
  const std::vector<std::int64_t>* lists[] = {&groups.first, &groups.inverse, &groups.counts};
  for (std::size_t i = 1; i < context.outputs.size(); ++i) {
    context.outputs[i] = Tensor::of<std::int64_t>({std::ssize(*lists[i - 1])}, std::span<const std::int64_t>(*lists[i - 1]));
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_unique;
const OpSpec kOp_unique{.name = "Unique",
                        .domain = "",
                        .since = 11,
                        .doc = "The different elements of a tensor, or the different slices along an axis, compared element by element.",
                        .inputs = kInputs,
                        .outputs = kOutputs,
                        .attributes = kAttributes,
                        .infer = infer,
                        .reference = reference,
                        .examples = kExamples};

}  // namespace moru::model
