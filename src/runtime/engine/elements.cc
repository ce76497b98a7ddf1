// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/elements.h"

namespace moru::runtime::engine {

template <std::size_t kOperands>
LinesStep<kOperands>::LinesStep(const Operands& operands, const Stored& y)
    : walk_(operands, y), y_(y.buffer), y_bytes_(static_cast<std::int64_t>(y.element_bytes())) {
  for (std::size_t k = 0; k < kOperands; ++k) {
    operands_[k] = operands[k].buffer;
    bytes_[k] = static_cast<std::int64_t>(operands[k].element_bytes());
  }
}

template <std::size_t kOperands>
void LinesStep<kOperands>::run(const Frame& frame) const noexcept {
  auto* y = frame.at<std::byte>(y_);
  walk_.for_each_line([&](const typename Walk::Places& places, std::int64_t to, const typename Walk::Axis& axis) {
    Places from;
    for (std::size_t k = 0; k < kOperands; ++k) from[k] = frame.at<const std::byte>(operands_[k]) + places[k] * bytes_[k];
    line(from, y + to * y_bytes_, axis);
  });
}

template <std::size_t kOperands>
Result<Elements<kOperands>> read_elements(Lowering& lowering, const model::Node& node) {
  Elements<kOperands> elements;
  const Stored* largest = nullptr;
  for (std::size_t i = 0; i < kOperands; ++i) {
    Stored& operand = elements.operands[i];
    MORU_ASSIGN_OR_RETURN(operand, lowering.input(node, i));
    if (largest == nullptr || operand.count() > largest->count()) largest = &operand;
  }
  MORU_ASSIGN_OR_RETURN(elements.y, lowering.output(node.outputs.front(), largest->layout));
  return elements;
}

template <std::size_t kOperands>
void add_lines(Lowering& lowering, const Elements<kOperands>& elements, std::unique_ptr<LinesStep<kOperands>> step) {
  std::vector<BufferId> uses;
  for (const Stored& operand : elements.operands) uses.push_back(operand.buffer);
  uses.push_back(elements.y.buffer);
  lowering.add(std::move(step), uses);
  may_overwrite(lowering, elements.operands, elements.y);
}

template class LinesStep<1>;
template class LinesStep<2>;
template class LinesStep<3>;
template Result<Elements<1>> read_elements<1>(Lowering& lowering, const model::Node& node);
template Result<Elements<2>> read_elements<2>(Lowering& lowering, const model::Node& node);
template Result<Elements<3>> read_elements<3>(Lowering& lowering, const model::Node& node);
template void add_lines<1>(Lowering& lowering, const Elements<1>& elements, std::unique_ptr<LinesStep<1>> step);
template void add_lines<2>(Lowering& lowering, const Elements<2>& elements, std::unique_ptr<LinesStep<2>> step);
template void add_lines<3>(Lowering& lowering, const Elements<3>& elements, std::unique_ptr<LinesStep<3>> step);

Result<model::DType> dtype_of(const Lowering& lowering, const model::Node& node, std::size_t input) {
  if (!lowering.has_input(node, input)) return fail(ErrorCode::kUnsupported, "found an input that is left out, expected one");
  const auto dtype = lowering.graph().value(node.inputs[input]).type.dtype;
  if (!dtype) return fail(ErrorCode::kUnsupported, "found an input of no known type, expected one");
  return *dtype;
}

}  // namespace moru::runtime::engine
