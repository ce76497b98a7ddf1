// SPDX-License-Identifier: Apache-2.0
// Functions of one to three values of any stored types, element by element, stretched to one shape: for what no kernel is written for.
#pragma once

#include <utility>

#include "runtime/engine/stretch.h"

namespace moru::runtime::engine {

template <class F, class Out, class... In>
class FunctionStep final : public Step {
 public:
  static constexpr std::size_t kOperands = sizeof...(In);
  using Walk = Stretch<kOperands>;
  FunctionStep(const std::array<Stored, kOperands>& operands, const Stored& y, F f) : walk_(operands, y), y_(y.buffer), f_(std::move(f)) {
    for (std::size_t k = 0; k < kOperands; ++k) operands_[k] = operands[k].buffer;
  }

  void run(const Frame& frame) const noexcept override { run(frame, std::index_sequence_for<In...>()); }

 private:
  template <std::size_t... kAt>
  void run(const Frame& frame, std::index_sequence<kAt...> /*at*/) const noexcept {
    Out* y = frame.at<Out>(y_);
    walk_.for_each_line([&](const typename Walk::Places& places, std::int64_t to, const typename Walk::Axis& axis) {
      for (std::int64_t i = 0; i < axis.extent; ++i) {
        y[to + i] = f_(frame.at<const In>(operands_[kAt])[places[kAt] + i * axis.steps[kAt]]...);
      }
    });
  }

  Walk walk_;
  std::array<BufferId, kOperands> operands_;
  BufferId y_;
  F f_;
};

/// Lowers a node of as many inputs as there are types In: y = f(inputs...). The types are those that the values lie in (int8 as uint8, 128
/// higher); the caller has looked at them.
template <class Out, class... In, class F>
Status lower_elements(Lowering& lowering, const model::Node& node, F f) {
  std::array<Stored, sizeof...(In)> operands;
  std::vector<BufferId> uses;
  const Stored* largest = nullptr;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(operands[i], lowering.input(node, i));
    uses.push_back(operands[i].buffer);
    if (largest == nullptr || operands[i].count() > largest->count()) largest = &operands[i];
  }
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), largest->layout));
  uses.push_back(y.buffer);
  lowering.add(std::make_unique<FunctionStep<F, Out, In...>>(operands, y, std::move(f)), uses);
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
