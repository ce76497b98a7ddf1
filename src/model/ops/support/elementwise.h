// SPDX-License-Identifier: Apache-2.0
// What ops share that work element by element: ports, types and shapes, loops, and how old opsets had them. An op is then
// its formula, its documentation and its examples.
#pragma once

#include <algorithm>
#include <cmath>

#include "model/ops/support/broadcast.h"
#include "model/ops/support/shape.h"

namespace moru::model::ops {

/// What differs from op to op.
struct Elementwise {
  std::string_view name;
  std::int64_t since = 1;
  std::string_view doc;
  Status (*infer)(InferContext& context) = nullptr;
  Status (*reference)(EvalContext& context) = nullptr;
  std::span<const OpExample> examples;
  std::span<const AttributeSpec> attributes = {};
  std::span<const OpGap> gaps = {};
  Status (*upgrade)(NodeRewrite& rewrite) = nullptr;
  Status (*downgrade)(NodeRewrite& rewrite) = nullptr;
};

/// Before opset 6 some ops said which inputs they may overwrite.
Status drop_consumed_inputs(NodeRewrite& rewrite);
/// Before opset 7 B stretched only when asked, and could be aligned at an axis of A.
Status upgrade_broadcast(NodeRewrite& rewrite);

inline constexpr PortSpec kX[] = {{"X", "any shape"}};
inline constexpr PortSpec kAB[] = {{"A", "any shape"}, {"B", "of A's type; the shapes stretch to each other"}};
inline constexpr PortSpec kData[] = {{"data", "one or more of one type; the shapes stretch to each other"}};
inline constexpr PortSpec kY[] = {{"Y", "as X"}};
inline constexpr PortSpec kC[] = {{"C", "the shape that A and B stretch to"}};
inline constexpr PortSpec kResult[] = {{"result", "the shape that all stretch to"}};

constexpr OpSpec make_elementwise(const Elementwise& op, std::span<const PortSpec> inputs, std::span<const PortSpec> outputs,
                                  Status (*upgrade)(NodeRewrite&)) {
  return {.name = op.name,
          .domain = "",
          .since = op.since,
          .doc = op.doc,
          .inputs = inputs,
          .outputs = outputs,
          .attributes = op.attributes,
          .infer = op.infer,
          .reference = op.reference,
          .examples = op.examples,
          .gaps = op.gaps,
          .upgrade = op.upgrade != nullptr ? op.upgrade : upgrade,
          .downgrade = op.downgrade};
}
constexpr OpSpec unary_op(const Elementwise& op) { return make_elementwise(op, kX, kY, drop_consumed_inputs); }
constexpr OpSpec binary_op(const Elementwise& op) { return make_elementwise(op, kAB, kC, upgrade_broadcast); }
constexpr OpSpec variadic_op(const Elementwise& op) {
  OpSpec spec = make_elementwise(op, kData, kResult, drop_consumed_inputs);
  spec.variadic_inputs = true;
  return spec;
}

/// Output 0 is as input 0, which has one of the types kAllowed.
template <const auto& kAllowed>
Status infer_unary(InferContext& context) {
  return infer_like_input(context, kAllowed);
}
/// Output 0 is bool, of input 0's shape.
template <const auto& kAllowed>
Status infer_unary_predicate(InferContext& context) {
  MORU_RETURN_IF_ERROR(expect_dtype(context, 0, kAllowed));
  context.set_output(0, {DType::kBool, context.input(0).shape});
  return {};
}
/// Output 0 has the shape that all inputs stretch to; unknown when one of them is.
Status infer_broadcast(InferContext& context, std::optional<DType> dtype);
/// All inputs are of one of the types kAllowed, and so is the output.
template <const auto& kAllowed>
Status infer_broadcast_same(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const auto dtype, common_dtype(context, kAllowed));
  return infer_broadcast(context, dtype);
}
template <const auto& kAllowed>
Status infer_comparison(InferContext& context) {
  MORU_RETURN_IF_ERROR(common_dtype(context, kAllowed));
  return infer_broadcast(context, DType::kBool);
}

/// A float attribute as double.
Result<double> real_attribute(const Node& node, std::string_view name, float fallback);
/// Which of `words` a string attribute is; the first when it is left out.
Result<std::size_t> word_attribute(const Node& node, std::string_view name, std::span<const std::string_view> words);

/// Y = f(X) for numbers: f takes and gives Wide<T>.
template <class F>
Status map_numbers(EvalContext& context, F f) {
  return for_number_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    std::ranges::transform(context.input(0).data<T>(), context.outputs[0].mutable_data<T>().begin(),
                           [&](T x) { return narrow<T>(f(widen(x))); });
    return {};
  });
}
/// Y = f(X) for floats: f takes and gives double.
template <class F>
Status map_floats(EvalContext& context, F f) {
  return for_float_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    std::ranges::transform(context.input(0).data<T>(), context.outputs[0].mutable_data<T>().begin(),
                           [&](T x) { return narrow<T>(f(widen(x))); });
    return {};
  });
}
/// Y = f(X) for floats: f takes double and gives bool.
template <class F>
Status test_floats(EvalContext& context, F f) {
  return for_float_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    std::ranges::transform(context.input(0).data<T>(), context.outputs[0].mutable_data<bool>().begin(), [&](T x) { return f(widen(x)); });
    return {};
  });
}

/// C = f(A, B) for numbers: f takes and gives Wide<T>.
template <class F>
Status zip_numbers(EvalContext& context, F f) {
  return for_number_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    zip<T, T, T>(context.input(0), context.input(1), context.outputs[0], [&](T a, T b) { return narrow<T>(f(widen(a), widen(b))); });
    return {};
  });
}
/// C = f(A, B) for integers.
template <class F>
Status zip_integers(EvalContext& context, F f) {
  return for_integer_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    zip<T, T, T>(context.input(0), context.input(1), context.outputs[0], [&](T a, T b) { return narrow<T>(f(widen(a), widen(b))); });
    return {};
  });
}
/// C = f(A, B) for numbers or bools, where f gives bool.
template <class F>
Status compare(EvalContext& context, F f) {
  return for_number_or_bool_dtype(context.input(0).dtype(), [&]<class T>() -> Status {
    zip<T, T, bool>(context.input(0), context.input(1), context.outputs[0], [&](T a, T b) { return f(widen(a), widen(b)); });
    return {};
  });
}
/// kInvalidArgument when the integer tensor `b` has a 0 that something would be divided by.
Status check_divisors(const EvalContext& context, const Tensor& b);

/// The inputs from first to last, joined by f on Wide<T>; `finish` makes the result of the joined value and their number.
template <class F, class G>
Status fold_numbers(EvalContext& context, F f, G finish) {
  Tensor& out = context.outputs[0];
  return for_number_dtype(out.dtype(), [&]<class T>() -> Status {
    std::vector<Wide<T>> joined(static_cast<std::size_t>(out.count()));
    for (std::size_t k = 0; k < context.inputs.size(); ++k) {
      const auto x = context.input(k).data<T>();
      walk_broadcast<1>({context.input(k).dims()}, out.dims(),
                        [&](std::size_t i, const auto& at) { joined[i] = k == 0 ? widen(x[at[0]]) : f(joined[i], widen(x[at[0]])); });
    }
    const auto count = static_cast<Wide<T>>(context.inputs.size());
    std::ranges::transform(joined, out.mutable_data<T>().begin(), [&](Wide<T> value) { return narrow<T>(finish(value, count)); });
    return {};
  });
}

}  // namespace moru::model::ops
