// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "model/ops/support/indices.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type and shape"},
                                {"shape", "int64 [rank of the output]; 0 copies the input's extent, -1 is what is left"}};
constexpr PortSpec kOutputs[] = {{"reshaped", "the same elements, in the same order"}};
constexpr AttributeSpec kAttributes[] = {{"allowzero", AttributeKind::kInt, "1: 0 in shape is an extent of 0; 0"}};
constexpr OpExample kExamples[] = {{"0 keeps the batch, -1 takes the rest", R"(graph "reshape" {
  init x = float32[2, 1, 3] {1, 2, 3, 4, 5, 6}
  init shape = int64[2] {0, -1}
  y = Reshape(x, shape)
  output y
})",
                                    "float32[2, 3] {1, 2, 3, 4, 5, 6}"}};

/// Replaces 0 and leaves -1 as an unknown extent; gives its place, or -1.
Result<std::ptrdiff_t> copy_extents(std::span<const std::int64_t> wanted, const SymbolicShape* data, bool allow_zero, SymbolicShape& out) {
  std::ptrdiff_t open = -1;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    Dim dim{wanted[i], {}};
    if (wanted[i] < -1) return fail(ErrorCode::kInvalidArgument, fmt::format("shape: found {}, expected -1 or more", wanted[i]));
    if (wanted[i] == -1) {
      if (open >= 0) return fail(ErrorCode::kInvalidArgument, "shape: found -1 twice, expected it once at most");
      open = static_cast<std::ptrdiff_t>(i);
    } else if (wanted[i] == 0 && !allow_zero) {
      if (data != nullptr && i >= data->size()) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("shape: found 0 at {}, expected an axis of the input there, which is {}", i, to_string(*data)));
      }
      dim = data != nullptr ? (*data)[i] : Dim{};
    }
    out.push_back(std::move(dim));
  }
  return open;
}

/// The extent that -1 stands for. Extents that stand on both sides cancel out: a symbolic batch, or one of 0.
Result<Dim> remaining(const SymbolicShape& data, const SymbolicShape& out, std::ptrdiff_t open) {
  SymbolicShape given = data;
  SymbolicShape taken;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (static_cast<std::ptrdiff_t>(i) == open) continue;
    const auto same = out[i] == Dim{} ? given.end() : std::ranges::find(given, out[i]);
    if (same == given.end()) {
      taken.push_back(out[i]);
    } else {
      given.erase(same);
    }
  }
  SymbolicShape symbols;
  std::ranges::copy_if(given, std::back_inserter(symbols), [](const Dim& dim) { return !dim.known(); });
  std::erase_if(given, [](const Dim& dim) { return !dim.known(); });
  MORU_ASSIGN_OR_RETURN(const Dim have, ops::product(given));
  MORU_ASSIGN_OR_RETURN(const Dim need, ops::product(taken));
  if (!need.known()) return Dim{};
  if (symbols.empty() && (need.value == 0 || have.value % need.value != 0)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("shape: found {} for -1 in, expected one that divides {}", to_string(out), to_string(data)));
  }
  if (symbols.empty()) return Dim{have.value / need.value, {}};
  return symbols.size() == 1 && have == need ? symbols[0] : Dim{};
}

Status check_count(const SymbolicShape& data, const SymbolicShape& out) {
  MORU_ASSIGN_OR_RETURN(const Dim have, ops::product(data));
  MORU_ASSIGN_OR_RETURN(const Dim need, ops::product(out));
  if (ops::merge(have, need)) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("shape: found {} with {} elements, expected {} as the input {} has", to_string(out),
                                                       need.value, have.value, to_string(data)));
}

Status infer(InferContext& context) {
  const SymbolicShape* data = ops::shape_of(context, 0);
  const auto dtype = context.input(0).dtype;
  MORU_ASSIGN_OR_RETURN(const std::int64_t allow_zero, int_attribute(context.node(), "allowzero", 0));
  MORU_ASSIGN_OR_RETURN(const auto wanted, ops::constant_ints(context, 1));
  if (!wanted) {
    // The rank of the output is the length of the list, where that is known.
    const SymbolicShape* list = ops::shape_of(context, 1);
    const bool has_rank = list != nullptr && list->size() == 1 && (*list)[0].known() && (*list)[0].value <= 64;
    context.set_output(0, {dtype, has_rank ? std::optional(SymbolicShape(static_cast<std::size_t>((*list)[0].value))) : std::nullopt});
    return {};
  }
  SymbolicShape out;
  MORU_ASSIGN_OR_RETURN(const std::ptrdiff_t open, copy_extents(*wanted, data, allow_zero != 0, out));
  if (data != nullptr && open >= 0) {
    MORU_ASSIGN_OR_RETURN(out[static_cast<std::size_t>(open)], remaining(*data, out, open));
  }
  if (data != nullptr) MORU_RETURN_IF_ERROR(check_count(*data, out));
  context.set_output(0, {dtype, std::move(out)});
  return {};
}

Status reference(EvalContext& context) {
  context.outputs[0] = context.input(0).reshaped(context.outputs[0].dims());
  return {};
}

/// Before opset 5 the shape was an attribute; opset 1 had consumed_inputs too.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 5) return {};
  ops::drop_attribute(rewrite, "consumed_inputs");
  return ops::attribute_to_input(rewrite, "shape", 1);
}

/// allowzero came with opset 14. It changes nothing when the shape is a constant without 0.
Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 14) return {};
  const Tensor* shape = ops::constant_of(rewrite, 1);
  if (shape != nullptr && shape->dtype() == DType::kInt64 &&
      std::ranges::find(shape->data<std::int64_t>(), 0) == shape->data<std::int64_t>().end()) {
    ops::drop_attribute(rewrite, "allowzero");
  }
  return ops::drop_default(rewrite, "allowzero", std::int64_t{0});
}

}  // namespace

extern const OpSpec kOp_reshape;
const OpSpec kOp_reshape{.name = "Reshape",
                         .domain = "",
                         .since = 1,
                         .doc = "The same elements, in the same order, under another shape of as many elements.",
                         .inputs = kInputs,
                         .outputs = kOutputs,
                         .attributes = kAttributes,
                         .infer = infer,
                         .reference = reference,
                         .examples = kExamples,
                         .upgrade = upgrade,
                         .downgrade = downgrade};

}  // namespace moru::model
