// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "model/ops/support/loops.h"
#include "model/ops/support/normalize.h"
#include "model/ops/support/real.h"
#include "model/ops/support/rewrite.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, spatial...]"}, {"scale", "[C]"}, {"bias", "[C]"}};
constexpr PortSpec kOutputs[] = {{"Y", "as X"}};
constexpr AttributeSpec kAttributes[] = {{"epsilon", AttributeKind::kFloat, "added to the variance; 1e-5"},
                                         {"num_groups", AttributeKind::kInt, "groups of channels; divides C", true},
                                         {"stash_type", AttributeKind::kInt, "the type engines compute in: no effect here"}};
constexpr OpExample kExamples[] = {{"Two channels share their statistics", R"(graph "group_norm" {
  init x = float32[1, 4, 1] {1, 3, 10, 20}
  init scale = float32[4] {1, 1, 2, 2}
  init bias = float32[4] {0, 0.5, 0, 0}
  y = GroupNormalization(x, scale, bias) {epsilon = 0.0, num_groups = 2}
  output y
})",
                                    "float32[1, 4, 1] {-1, 1.5, -2, 2}"}};

Result<std::int64_t> read_groups(const Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t groups, int_attribute(node, "num_groups", 1));
  if (groups >= 1 && groups <= ops::kMaxExtent) return groups;
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'num_groups': found {}, expected 1 or more", groups));
}

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, ops::common_dtype(context, ops::kReals));
  MORU_ASSIGN_OR_RETURN(const std::int64_t groups, read_groups(context.node()));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x != nullptr && x->size() < 2)
    return ops::input_error(context, 0, fmt::format("found shape {}, expected [N, C, ...]", to_string(*x)));
  if (x != nullptr && (*x)[1].known() && (*x)[1].value % groups != 0)
    return ops::input_error(context, 0, fmt::format("found {} channels, expected a multiple of num_groups {}", (*x)[1].value, groups));
  for (std::size_t i = 1; i < 3; ++i) {
    MORU_RETURN_IF_ERROR(ops::expect_rank(context, i, 1, "[C]"));
    if (x != nullptr) MORU_RETURN_IF_ERROR(ops::expect_extent(context, i, 0, (*x)[1], "an entry a channel"));
  }
  context.set_output(0, {dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const float epsilon, float_attribute(context.node, "epsilon", 1e-5F));
  MORU_ASSIGN_OR_RETURN(const std::int64_t groups, read_groups(context.node));
  const Dims& dims = context.input(0).dims();
  return ops::normalize_channels(context, {.runs = dims[0] * groups, .channels = dims[1], .epsilon = static_cast<double>(epsilon)});
}

/// The entries of a constant [from] as [to]: each repeated, or, on the way back, one of those that are equal.
Result<ValueId> regroup(NodeRewrite& rewrite, ValueId id, std::int64_t from, std::int64_t to) {
  const Tensor* given = rewrite.graph.initializer(id);
  if (given == nullptr || given->dims() != Dims{from})
    return fail(ErrorCode::kUnsupported,
                fmt::format("found scale or bias that is not a constant [{}], expected one; opsets 18 to 20 have an entry "
                            "a group, newer ones an entry a channel",
                            from));
  MORU_ASSIGN_OR_RETURN(const std::size_t element, element_size(given->dtype()));
  MORU_ASSIGN_OR_RETURN(Tensor moved, Tensor::create(given->dtype(), {to}));
  for (std::int64_t i = 0; i < std::max(from, to); ++i) {
    const auto source = given->bytes().subspan(static_cast<std::size_t>(from < to ? i * from / to : i) * element, element);
    const auto target = moved.mutable_bytes().subspan(static_cast<std::size_t>(from < to ? i : i * to / from) * element, element);
    const bool first = from < to || i % (from / to) == 0;
    if (!first && !std::ranges::equal(source, target)) return ops::not_in_opset(rewrite, "scale or bias that differ within a group");
    std::ranges::copy(source, target.begin());
  }
  return ops::add_constant(rewrite, rewrite.graph.value(id).name, std::move(moved));
}

/// Scale and bias had an entry a group before opset 21. The channels come from X's type.
Status regroup_both(NodeRewrite& rewrite, bool to_channels) {
  if (rewrite.opset >= 21) return {};
  MORU_ASSIGN_OR_RETURN(const std::int64_t groups, read_groups(rewrite.node));
  if (!rewrite.node.attributes.contains("num_groups") || rewrite.node.inputs.size() != 3) return {};  // the schema refuses it
  if (std::ranges::find(rewrite.node.inputs, kNoValue) != rewrite.node.inputs.end()) return {};
  const auto& shape = rewrite.graph.value(rewrite.node.inputs[0]).type.shape;
  const Dim channels = shape && shape->size() > 1 ? (*shape)[1] : Dim{};
  if (!channels.known() || channels.value < groups || channels.value % groups != 0) {
    return fail(ErrorCode::kUnsupported, fmt::format("input 0 (X): found {} channels, expected a known multiple of num_groups {}",
                                                     channels.known() ? std::to_string(channels.value) : "unknown", groups));
  }
  for (std::size_t i = 1; i < 3; ++i) {
    MORU_ASSIGN_OR_RETURN(rewrite.node.inputs[i], regroup(rewrite, rewrite.node.inputs[i], to_channels ? groups : channels.value,
                                                          to_channels ? channels.value : groups));
  }
  if (!to_channels) ops::drop_attribute(rewrite, "stash_type");
  return {};
}

Status upgrade(NodeRewrite& rewrite) { return regroup_both(rewrite, true); }
Status downgrade(NodeRewrite& rewrite) { return regroup_both(rewrite, false); }

}  // namespace

extern const OpSpec kOp_group_normalization;
const OpSpec kOp_group_normalization{
    .name = "GroupNormalization",
    .domain = "",
    .since = 18,
    .doc =
        "Normalises each group of channels of each image by its own mean and variance. X [N, C, spatial...] -> Y: "
        "Y = scale[c] * (X - mean[n, g]) / sqrt(var[n, g] + epsilon) + bias[c]",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = upgrade,
    .downgrade = downgrade};

}  // namespace moru::model
