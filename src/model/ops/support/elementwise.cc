// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "model/ops/support/rewrite.h"

namespace moru::model::ops {

Status drop_consumed_inputs(NodeRewrite& rewrite) {
  if (rewrite.opset < 6) drop_attribute(rewrite, "consumed_inputs");
  return {};
}

Status upgrade_broadcast(NodeRewrite& rewrite) {
  if (rewrite.opset >= 7) return {};
  MORU_RETURN_IF_ERROR(drop_consumed_inputs(rewrite));
  MORU_ASSIGN_OR_RETURN(const std::int64_t stretches, int_attribute(rewrite.node, "broadcast", 0));
  const bool is_aligned = rewrite.node.attributes.contains("axis");
  MORU_ASSIGN_OR_RETURN(const std::int64_t axis, int_attribute(rewrite.node, "axis", 0));
  drop_attribute(rewrite, "broadcast");
  drop_attribute(rewrite, "axis");
  return stretches != 0 && is_aligned ? align_input(rewrite, axis) : Status{};
}

Status infer_broadcast(InferContext& context, std::optional<DType> dtype) {
  SymbolicShape shape;
  for (std::size_t i = 0; i < context.input_count(); ++i) {
    const SymbolicShape* one = shape_of(context, i);
    if (one == nullptr) {
      context.set_output(0, {dtype, std::nullopt});
      return {};
    }
    MORU_ASSIGN_OR_RETURN(shape, broadcast(shape, *one));
  }
  context.set_output(0, {dtype, std::move(shape)});
  return {};
}

Result<double> real_attribute(const Node& node, std::string_view name, float fallback) {
  MORU_ASSIGN_OR_RETURN(const float value, float_attribute(node, name, fallback));
  return static_cast<double>(value);
}

Result<std::size_t> word_attribute(const Node& node, std::string_view name, std::span<const std::string_view> words) {
  const auto it = node.attributes.find(name);
  if (it == node.attributes.end()) return std::size_t{0};
  const auto* word = std::get_if<std::string>(&it->second);
  const auto found = word != nullptr ? std::ranges::find(words, *word) : words.end();
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  return fail(ErrorCode::kInvalidArgument, fmt::format("attribute '{}': found '{:.40}', expected {}", name,
                                                       word != nullptr ? *word : "no string", fmt::join(words, " or ")));
}

Status check_divisors(const EvalContext& context, const Tensor& b) {
  if (context.outputs[0].count() == 0) return {};
  return for_number_dtype(b.dtype(), [&]<class T>() -> Status {
    if constexpr (!kIsReal<T>) {
      if (std::ranges::find(b.data<T>(), T{0}) != b.data<T>().end())
        return fail(ErrorCode::kInvalidArgument, "input 1 (B): found 0, expected other integers to divide by");
    }
    return {};
  });
}

}  // namespace moru::model::ops
