// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"
#include "model/ops/support/rewrite.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any type, rank 1 or more"},
                                {"split", "int64 [outputs], the extent of each on axis; equal ones", true}};
constexpr PortSpec kOutputs[] = {{"outputs", "one or more; as input but on axis"}};
constexpr AttributeSpec kAttributes[] = {
    {"axis", AttributeKind::kInt, "the axis that is cut; 0"},
    {"num_outputs", AttributeKind::kInt, "how many equal parts, when split is left out; the last one is smaller if it must be"}};
constexpr OpExample kExamples[] = {{"A column, and the rest", R"(graph "split" {
  init x = int8[2, 3] {1, 2, 3, 4, 5, 6}
  init sizes = int64[2] {1, 2}
  a, b = Split(x, sizes) {axis = 1}
  output a
  output b
})",
                                    "int8[2, 1] {1, 4}\nint8[2, 2] {2, 3, 5, 6}"},
                                   {"Equal parts, but for the last", R"(graph "parts" {
  init x = int8[5] {1, 2, 3, 4, 5}
  a, b = Split(x) {num_outputs = 2}
  output a
  output b
})",
                                    "int8[3] {1, 2, 3}\nint8[2] {4, 5}"}};

/// Parts of ceil(extent / parts), and what is left in the last.
Result<std::vector<std::int64_t>> equal_parts(std::int64_t extent, std::int64_t parts) {
  const std::int64_t part = (extent + parts - 1) / parts;
  const std::int64_t last = extent - part * (parts - 1);
  if (last < 0) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} parts of an extent of {}, expected no empty one", parts, extent));
  }
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(parts), part);
  sizes.back() = last;
  return sizes;
}

Status check_sizes(const InferContext& context, std::span<const std::int64_t> sizes, const Dim& extent) {
  if (sizes.size() != context.outputs().size()) {
    return ops::input_error(context, 1, fmt::format("found {} sizes, expected {}, one an output", sizes.size(), context.outputs().size()));
  }
  MORU_RETURN_IF_ERROR_IN(ops::input_label(context, 1), ops::check_extents(sizes, "sizes"));
  std::int64_t sum = 0;
  for (const std::int64_t size : sizes) {
    sum += size;
    if (sum > ops::kMaxExtent) return ops::input_error(context, 1, "found sizes of more than 2^40 together, expected less");
  }
  if (!ops::merge(extent, Dim{sum, {}})) {
    return ops::input_error(context, 1, fmt::format("found sizes of {} together, expected {}, the axis's extent", sum, extent.value));
  }
  return {};
}

/// The extents on the axis; empty when they are not known.
Result<std::vector<std::int64_t>> sizes_of(const InferContext& context, const Dim& extent) {
  MORU_ASSIGN_OR_RETURN(const auto sizes, ops::constant_ints(context, 1));
  const bool has_count = context.node().attributes.contains("num_outputs");
  if (context.has_input(1) == has_count) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} of input 1 (split) and attribute 'num_outputs', expected one of them",
                                                         has_count ? "both" : "neither"));
  }
  if (sizes) {
    MORU_RETURN_IF_ERROR(check_sizes(context, *sizes, extent));
    return *sizes;
  }
  if (!has_count) return std::vector<std::int64_t>();
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, int_attribute(context.node(), "num_outputs", 0));
  if (count != std::ssize(context.outputs())) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("attribute 'num_outputs': found {}, expected {} as the node has", count, context.outputs().size()));
  }
  return extent.known() ? equal_parts(extent.value, count) : std::vector<std::int64_t>();
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node(), "axis", 0));
  const SymbolicShape* x = ops::shape_of(context, 0);
  std::optional<SymbolicShape> shape;
  std::size_t axis = 0;
  if (x != nullptr) {
    MORU_ASSIGN_OR_RETURN(axis, ops::normalize_axis(given_axis, x->size()));
    shape = *x;
  }
  MORU_ASSIGN_OR_RETURN(const auto sizes, sizes_of(context, shape ? (*shape)[axis] : Dim{}));
  for (std::size_t i = 0; i < context.outputs().size(); ++i) {
    if (shape) (*shape)[axis] = sizes.empty() ? Dim{} : Dim{sizes[i], {}};
    context.set_output(i, {context.input(0).dtype, shape});
  }
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(context.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, x.rank()));
  const auto strides = ops::strides_of(x.dims());
  std::int64_t start = 0;
  for (Tensor& part : context.outputs) {
    ops::copy_strided(x, start * strides[axis], strides, part.dims(), part);
    start += part.dims()[axis];
  }
  return {};
}

/// Before opset 13 split was an attribute, and before 18 leaving it out meant as many parts as there are outputs.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset < 13) MORU_RETURN_IF_ERROR(ops::attribute_to_input(rewrite, "split", 1));
  if (rewrite.opset < 18 && ops::input_of(rewrite, 1) == kNoValue) {
    rewrite.node.attributes.try_emplace("num_outputs", std::ssize(rewrite.node.outputs));
  }
  return {};
}

/// Parts that are not equal must be written out. Where the extent is not known they are taken to be equal: an older opset
/// refuses them, if they are not, when it runs.
Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 18 || !rewrite.node.attributes.contains("num_outputs")) return {};
  const SymbolicShape* x = ops::shape_of(rewrite, 0);
  ops::drop_attribute(rewrite, "num_outputs");
  if (x == nullptr) return {};
  MORU_ASSIGN_OR_RETURN(const std::int64_t given_axis, int_attribute(rewrite.node, "axis", 0));
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(given_axis, x->size()));
  const auto count = std::ssize(rewrite.node.outputs);
  if (!(*x)[axis].known() || count == 0 || (*x)[axis].value % count == 0) return {};
  MORU_ASSIGN_OR_RETURN(const auto sizes, equal_parts((*x)[axis].value, count));
  ops::set_input(rewrite, 1, ops::add_ints(rewrite, "split", sizes));
  return {};
}

}  // namespace

extern const OpSpec kOp_split;
const OpSpec kOp_split{
    .name = "Split",
    .domain = "",
    .since = 1,
    .doc = "Cuts a tensor into parts along one axis. input [..., A, ...] -> outputs [..., Ai, ...] with A0 + A1 + ... = A.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .variadic_outputs = true,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = upgrade,
    .downgrade = downgrade};

}  // namespace moru::model
