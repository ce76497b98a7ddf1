// SPDX-License-Identifier: Apache-2.0
// Functions of one to three values of any stored types, element by element, stretched to one shape: for what no kernel is written for.
#pragma once

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "runtime/engine/stretch.h"

namespace moru::runtime::engine {

/// One function on a line of elements: axis.extent results from `to` on, of the operands' elements from `from` on, side by side or one for
/// all. `captured` are the bytes of what it knows beside them.
template <std::size_t kOperands>
using LineFunction = void (*)(const std::byte* captured, const std::array<const std::byte*, kOperands>& from, std::byte* to,
                              const typename Stretch<kOperands>::Axis& axis) noexcept;
struct alignas(8) Captured : std::array<std::byte, 8> {};

/// Adds the step that walks the inputs of a node as they stretch to its output, in the layout of the largest. Which function it is and of
/// which types is known line by line only: there are very many, and each is to be small.
template <std::size_t kOperands>
Status add_lines(Lowering& lowering, const model::Node& node, LineFunction<kOperands> function, const Captured& captured);

template <class F, class Out, class... In, std::size_t... kAt>
void run_line(const F& f, const std::array<const std::byte*, sizeof...(In)>& from, Out* y,
              const typename Stretch<sizeof...(In)>::Axis& axis, std::index_sequence<kAt...> /*at*/) noexcept {
  for (std::int64_t i = 0; i < axis.extent; ++i) y[i] = f(reinterpret_cast<const In*>(from[kAt])[i * axis.steps[kAt]]...);
}
template <class F, class Out, class... In>
void line_of(const std::byte* captured, const std::array<const std::byte*, sizeof...(In)>& from, std::byte* to,
             const typename Stretch<sizeof...(In)>::Axis& axis) noexcept {
  run_line<F, Out, In...>(*reinterpret_cast<const F*>(captured), from, reinterpret_cast<Out*>(to), axis, std::index_sequence_for<In...>());
}

/// Lowers a node of as many inputs as there are types In: y = f(inputs...). The types are those that the values lie in (int8 as uint8, 128
/// higher); the caller has looked at them. What f captures is plain, and small.
template <class Out, class... In, class F>
Status lower_elements(Lowering& lowering, const model::Node& node, const F& f) {
  static_assert(std::is_trivially_copyable_v<F> && sizeof(F) <= sizeof(Captured) && alignof(F) <= alignof(Captured));
  Captured captured{};
  if constexpr (!std::is_empty_v<F>) std::memcpy(captured.data(), &f, sizeof(F));
  return add_lines<sizeof...(In)>(lowering, node, &line_of<F, Out, In...>, captured);
}

/// The element type of an input. kUnsupported for one that is not known.
Result<model::DType> dtype_of(const Lowering& lowering, const model::Node& node, std::size_t input);

/// Calls f with the C++ type that values of `dtype` lie in, as a template argument. kUnsupported for a type that numbers do not have here.
template <class F>
Status with_number_type(model::DType dtype, F f) {
  switch (dtype) {
    case model::DType::kFloat32: return f.template operator()<float>();
    case model::DType::kInt8:
    case model::DType::kUInt8: return f.template operator()<std::uint8_t>();
    case model::DType::kInt32: return f.template operator()<std::int32_t>();
    case model::DType::kInt64: return f.template operator()<std::int64_t>();
    default: return fail(ErrorCode::kUnsupported, "expected float32 or integers of 8, 32 or 64 bits");
  }
}

/// Lowers a comparison: a truth value of two numbers of one type.
template <class F>
Status lower_comparison(Lowering& lowering, const model::Node& node, F f) {
  MORU_ASSIGN_OR_RETURN(const model::DType dtype, dtype_of(lowering, node, 0));
  if (dtype == model::DType::kBool) return lower_elements<std::uint8_t, std::uint8_t, std::uint8_t>(lowering, node, f);
  return with_number_type(dtype, [&]<class T>() { return lower_elements<std::uint8_t, T, T>(lowering, node, f); });
}

}  // namespace moru::runtime::engine
