// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstring>

#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any shape"},
                                {"pads", "int64 [2 * rank]: elements before each axis, then after each; negative numbers cut off"},
                                {"constant_value", "scalar of data's type; 0", true}};
constexpr PortSpec kOutputs[] = {{"output", "extent + before + after on each axis"}};
constexpr AttributeSpec kAttributes[] = {{"mode", AttributeKind::kString, "must be constant"}};
constexpr OpExample kExamples[] = {{"A column of 9 in front", R"(graph "pad" {
  init x = float32[2, 2] {1, 2, 3, 4}
  init pads = int64[4] {0, 1, 0, 0}
  init nine = float32[] {9}
  y = Pad(x, pads, nine)
  output y
})",
                                    "float32[2, 3] {9, 1, 2, 9, 3, 4}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::string mode, string_attribute(context.node(), "mode", "constant"));
  if (mode != "constant") return fail(ErrorCode::kUnsupported, fmt::format("attribute 'mode': found '{:.40}', expected constant", mode));
  const auto dtype = context.input(0).dtype;
  const auto fill = context.input(2).dtype;
  if (dtype && fill && *dtype != *fill)
    return ops::input_error(context, 2, fmt::format("found {}, expected {} as of data", to_string(*fill), to_string(*dtype)));
  if (const SymbolicShape* shape = ops::shape_of(context, 2);
      shape != nullptr && *shape != SymbolicShape{} && *shape != SymbolicShape{{1, {}}}) {
    return ops::input_error(context, 2, fmt::format("found {}, expected a scalar", to_string(*shape)));
  }
  MORU_ASSIGN_OR_RETURN(const auto pads, ops::constant_ints(context, 1));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x == nullptr || !pads) {
    context.set_output(0, {dtype, x == nullptr ? std::nullopt : std::optional(SymbolicShape(x->size()))});
    return {};
  }
  const std::size_t rank = x->size();
  if (pads->size() != 2 * rank) return ops::input_error(context, 1, fmt::format("found {} numbers, expected {}", pads->size(), 2 * rank));
  SymbolicShape y(rank);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t before = (*pads)[axis];
    const std::int64_t after = (*pads)[rank + axis];
    for (const std::int64_t pad : {before, after}) {
      if (pad < -ops::kMaxExtent || pad > ops::kMaxExtent)
        return ops::input_error(context, 1, fmt::format("found {}, expected -2^40 to 2^40", pad));
    }
    if (before == 0 && after == 0) y[axis] = (*x)[axis];
    if (!(*x)[axis].known()) continue;
    y[axis].value = (*x)[axis].value + before + after;
    if (y[axis].value < 0) {
      return ops::input_error(
          context, 1,
          fmt::format("found {} and {} on axis {}, expected to cut no more than its {}", before, after, axis, (*x)[axis].value));
    }
  }
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  const auto pads = context.input(1).data<std::int64_t>();
  const auto x_strides = ops::strides_of(x.dims());
  const std::size_t size = size_of(x.dtype());
  const std::byte* fill = context.has_input(2) ? context.input(2).bytes().data() : nullptr;
  std::byte* to = y.mutable_bytes().data();
  std::vector<std::int64_t> index(y.rank(), 0);
  do {
    std::int64_t offset = 0;
    bool inside = true;
    for (std::size_t axis = 0; axis < index.size(); ++axis) {
      const std::int64_t at = index[axis] - pads[axis];
      inside = inside && at >= 0 && at < x.dims()[axis];
      offset += at * x_strides[axis];
    }
    const std::byte* from = inside ? x.bytes().data() + static_cast<std::size_t>(offset) * size : fill;
    if (from != nullptr) std::memcpy(to, from, size);
    to += size;
  } while (ops::next_index(index, y.dims()));
  return {};
}

}  // namespace

extern const OpSpec kOp_pad;
const OpSpec kOp_pad{.name = "Pad",
                     .domain = "",
                     .since = 11,
                     .doc =
                         "Puts a constant around a tensor of any type, or cuts off its borders. data [d0, ..., dn] -> "
                         "output [before0 + d0 + after0, ...].",
                     .inputs = kInputs,
                     .outputs = kOutputs,
                     .attributes = kAttributes,
                     .infer = infer,
                     .reference = reference,
                     .examples = kExamples};

}  // namespace moru::model
