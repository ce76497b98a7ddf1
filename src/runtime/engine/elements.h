// SPDX-License-Identifier: Apache-2.0
// Functions of one to three values of any stored types, element by element, stretched to one shape: for what no kernel is written for.
#pragma once

#include <utility>

#include "runtime/engine/stretch.h"

namespace moru::runtime::engine {

/// Walks what stretches; which function it is and of which types is known line by line only, so that one walk is there for all.
template <std::size_t kOperands>
class LinesStep : public Step {
 public:
  using Walk = Stretch<kOperands>;
  using Operands = std::array<Stored, kOperands>;
  using Places = std::array<const std::byte*, kOperands>;

  LinesStep(const Operands& operands, const Stored& y);
  void run(const Frame& frame) const noexcept final;

 private:
  /// axis.extent results from `to` on, of the operands' elements from there on, side by side or one for all.
  virtual void line(const Places& from, std::byte* to, const typename Walk::Axis& axis) const noexcept = 0;

  Walk walk_;
  std::array<BufferId, kOperands> operands_;
  std::array<std::int64_t, kOperands> bytes_;  ///< of an element
  BufferId y_;
  std::int64_t y_bytes_;
};

template <class F, class Out, class... In>
class FunctionStep final : public LinesStep<sizeof...(In)> {
 public:
  using Base = LinesStep<sizeof...(In)>;
  FunctionStep(const typename Base::Operands& operands, const Stored& y, F f) : Base(operands, y), f_(std::move(f)) {}

 private:
  void line(const typename Base::Places& from, std::byte* to, const typename Base::Walk::Axis& axis) const noexcept override {
    line(from, reinterpret_cast<Out*>(to), axis, std::index_sequence_for<In...>());
  }
  template <std::size_t... kAt>
  void line(const typename Base::Places& from, Out* y, const typename Base::Walk::Axis& axis,
            std::index_sequence<kAt...> /*at*/) const noexcept {
    for (std::int64_t i = 0; i < axis.extent; ++i) y[i] = f_(reinterpret_cast<const In*>(from[kAt])[i * axis.steps[kAt]]...);
  }

  F f_;
};

/// The inputs of a node, and its output as they stretch to it, in the layout of the largest.
template <std::size_t kOperands>
struct Elements {
  std::array<Stored, kOperands> operands;
  Stored y;
};
template <std::size_t kOperands>
Result<Elements<kOperands>> read_elements(Lowering& lowering, const model::Node& node);
/// Adds the step that makes the output.
template <std::size_t kOperands>
void add_lines(Lowering& lowering, const Elements<kOperands>& elements, std::unique_ptr<LinesStep<kOperands>> step);

/// Lowers a node of as many inputs as there are types In: y = f(inputs...). The types are those that the values lie in (int8 as uint8, 128
/// higher); the caller has looked at them.
template <class Out, class... In, class F>
Status lower_elements(Lowering& lowering, const model::Node& node, F f) {
  MORU_ASSIGN_OR_RETURN(const auto elements, read_elements<sizeof...(In)>(lowering, node));
  add_lines<sizeof...(In)>(lowering, elements, std::make_unique<FunctionStep<F, Out, In...>>(elements.operands, elements.y, std::move(f)));
  return {};
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
