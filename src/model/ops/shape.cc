// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/indices.h"
#include "model/ops/support/rewrite.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type and shape"}};
constexpr PortSpec kOutputs[] = {{"shape", "int64 [end - start]"}};
constexpr AttributeSpec kAttributes[] = {{"end", AttributeKind::kInt, "behind the last axis; what is beyond the rank means it; the rank"},
                                         {"start", AttributeKind::kInt, "first axis; negative: from the end; 0"}};
constexpr OpExample kExamples[] = {{"Without the batch", R"(graph "shape" {
  init x = float32[1, 2, 3] {1, 2, 3, 4, 5, 6}
  y = Shape(x) {start = 1}
  output y
})",
                                    "int64[2] {2, 3}"}};

struct Range {
  std::size_t first;
  std::size_t count;
};

Result<Range> range_of(const Node& node, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  MORU_ASSIGN_OR_RETURN(std::int64_t start, int_attribute(node, "start", 0));
  MORU_ASSIGN_OR_RETURN(std::int64_t end, int_attribute(node, "end", signed_rank));
  start = std::clamp<std::int64_t>(start < 0 ? start + signed_rank : start, 0, signed_rank);
  end = std::clamp<std::int64_t>(end < 0 ? end + signed_rank : end, 0, signed_rank);
  return Range{static_cast<std::size_t>(start), static_cast<std::size_t>(std::max<std::int64_t>(end - start, 0))};
}

Status infer(InferContext& context) {
  const SymbolicShape* x = ops::shape_of(context, 0);
  Dim count;
  if (x != nullptr) {
    MORU_ASSIGN_OR_RETURN(const Range range, range_of(context.node(), x->size()));
    count.value = static_cast<std::int64_t>(range.count);
    if (const auto dims = ops::known_dims(SymbolicShape(x->begin() + static_cast<std::ptrdiff_t>(range.first),
                                                        x->begin() + static_cast<std::ptrdiff_t>(range.first + range.count)))) {
      context.set_value(0, Tensor::of<std::int64_t>({count.value}, std::span<const std::int64_t>(*dims)));
    }
  }
  context.set_output(0, {DType::kInt64, SymbolicShape{count}});
  return {};
}

Status reference(EvalContext& context) {
  const Dims& dims = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const Range range, range_of(context.node, dims.size()));
  std::ranges::copy(std::span(dims).subspan(range.first, range.count), context.outputs[0].mutable_data<std::int64_t>().begin());
  return {};
}

/// start and end came with opset 15; before, the whole shape is cut by a Slice.
Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 15) return {};
  Node& node = rewrite.node;
  MORU_ASSIGN_OR_RETURN(const std::int64_t start, int_attribute(node, "start", 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t end, int_attribute(node, "end", ops::kMaxExtent));
  ops::drop_attribute(rewrite, "start");
  ops::drop_attribute(rewrite, "end");
  if ((start == 0 && end == ops::kMaxExtent) || node.outputs.empty()) return {};
  Node slice;
  slice.op = "Slice";
  slice.outputs = node.outputs;
  node.outputs = {ops::add_value(rewrite, "whole_shape")};
  const std::int64_t starts[] = {start};
  const std::int64_t ends[] = {end};
  slice.inputs = {node.outputs[0], ops::add_ints(rewrite, "start", starts), ops::add_ints(rewrite, "end", ends)};
  rewrite.after.push_back(std::move(slice));
  return {};
}

}  // namespace

extern const OpSpec kOp_shape;
const OpSpec kOp_shape{.name = "Shape",
                       .domain = "",
                       .since = 1,
                       .doc = "The extents of a tensor, or of some of its axes: shape[i] = extent of axis start + i of data.",
                       .inputs = kInputs,
                       .outputs = kOutputs,
                       .attributes = kAttributes,
                       .infer = infer,
                       .reference = reference,
                       .examples = kExamples,
                       .downgrade = downgrade};

}  // namespace moru::model
