// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"indices", "numbers, any shape; from -depth to depth - 1, others give off only"},
                                {"depth", "scalar or [1] of any numeric type: how many places"},
                                {"values", "[2]: off and on, of any type"}};
constexpr PortSpec kOutputs[] = {{"output", "indices with an axis of depth put in; the type of values"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "where the new axis stands, -rank - 1 to rank; -1"}};
constexpr OpExample kExamples[] = {{"Classes as rows", R"(graph "one_hot" {
  init classes = int64[3] {2, 0, -1}
  init depth = int64[] {3}
  init values = float32[2] {0, 1}
  y = OneHot(classes, depth, values)
  output y
})",
                                    "float32[3, 3] {0, 0, 1, 1, 0, 0, 0, 0, 1}"}};

/// Element 0 of a number, cut to an integer; -2^62 for what is far beyond any index.
std::vector<std::int64_t> whole_numbers(const Tensor& tensor) {
  constexpr std::int64_t kFar = -(std::int64_t{1} << 62U);
  std::vector<std::int64_t> numbers;
  const Status status = ops::for_number_dtype(tensor.dtype(), [&]<class T>() -> Status {
    for (const T value : tensor.data<T>()) {
      const auto real = static_cast<double>(static_cast<ops::Compute<T>>(value));
      numbers.push_back(std::abs(real) < 4e18 ? static_cast<std::int64_t>(static_cast<ops::Compute<T>>(value)) : kFar);
    }
    return {};
  });
  MORU_CHECK(status.has_value());
  return numbers;
}

Status expect_number(const InferContext& context, std::size_t index) {
  const auto dtype = context.input(index).dtype;
  if (!dtype) return {};
  MORU_RETURN_IF_ERROR_IN(ops::input_label(context, index), ops::for_number_dtype(*dtype, []<class T>() -> Status { return {}; }));
  return {};
}

Result<Dim> depth_of(const InferContext& context) {
  MORU_RETURN_IF_ERROR(expect_number(context, 1));
  MORU_RETURN_IF_ERROR(ops::expect_single_element(context, 1));
  if (context.constant(1) == nullptr) return Dim{};
  const std::int64_t depth = whole_numbers(*context.constant(1))[0];
  if (depth < 1 || depth > ops::kMaxExtent) return ops::input_error(context, 1, fmt::format("found {}, expected 1 to 2^40", depth));
  return Dim{depth, {}};
}

Result<std::size_t> axis_of(const Node& node, std::size_t rank) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(node, "axis", -1));
  return ops::normalize_axis(axis, rank + 1);
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(expect_number(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 2));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 1, "[off, on]"));
  if (ops::shape_of(context, 2) != nullptr) MORU_RETURN_IF_ERROR(ops::expect_extent(context, 2, 0, Dim{2, {}}, "off and on"));
  MORU_ASSIGN_OR_RETURN(Dim depth, depth_of(context));
  const SymbolicShape* indices = ops::shape_of(context, 0);
  std::optional<SymbolicShape> y;
  if (indices != nullptr) {
    MORU_ASSIGN_OR_RETURN(const std::size_t axis, axis_of(context.node(), indices->size()));
    y = *indices;
    y->insert(y->begin() + static_cast<std::ptrdiff_t>(axis), std::move(depth));
  }
  context.set_output(0, {context.input(2).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& values = context.input(2);
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, axis_of(context.node, context.input(0).rank()));
  const std::int64_t depth = y.dims()[axis];
  const std::int64_t inner = ops::product_of(std::span(y.dims()).subspan(axis + 1));
  ops::fill(values, y);
  const ops::ElementCopier copy(values, y);
  std::int64_t at = 0;
  for (const std::int64_t index : whole_numbers(context.input(0))) {
    const std::int64_t place = index < 0 ? index + depth : index;
    if (place >= 0 && place < depth) copy((at / inner * depth + place) * inner + at % inner, 1);
    ++at;
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_one_hot;
const OpSpec kOp_one_hot{.name = "OneHot",
                         .domain = "",
                         .since = 9,
                         .doc = "Each index becomes a row of off with one on: output[..., indices[...]] = on, on the new axis.",
                         .inputs = kInputs,
                         .outputs = kOutputs,
                         .attributes = kAttributes,
                         .infer = infer,
                         .reference = reference,
                         .examples = kExamples};

}  // namespace moru::model
