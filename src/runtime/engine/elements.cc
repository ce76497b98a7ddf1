// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/elements.h"

namespace moru::runtime::engine {

namespace {

template <std::size_t kOperands>
class LinesStep final : public Step {
 public:
  using Walk = Stretch<kOperands>;

  LinesStep(const std::array<Stored, kOperands>& operands, const Stored& y, LineFunction<kOperands> function, const Captured& captured)
      : walk_(operands, y), function_(function), captured_(captured), y_(y.buffer), y_bytes_(static_cast<std::int64_t>(y.element_bytes())) {
    for (std::size_t k = 0; k < kOperands; ++k) {
      operands_[k] = operands[k].buffer;
      bytes_[k] = static_cast<std::int64_t>(operands[k].element_bytes());
    }
  }

  void run(const Frame& frame) const noexcept override {
    auto* y = frame.at<std::byte>(y_);
    walk_.for_each_line([&](const typename Walk::Places& places, std::int64_t to, const typename Walk::Axis& axis) {
      std::array<const std::byte*, kOperands> from;
      for (std::size_t k = 0; k < kOperands; ++k) from[k] = frame.at<const std::byte>(operands_[k]) + places[k] * bytes_[k];
      function_(captured_.data(), from, y + to * y_bytes_, axis);
    });
  }

 private:
  Walk walk_;
  LineFunction<kOperands> function_;
  Captured captured_;
  std::array<BufferId, kOperands> operands_;
  std::array<std::int64_t, kOperands> bytes_;  ///< of an element
  BufferId y_;
  std::int64_t y_bytes_;
};

}  // namespace

template <std::size_t kOperands>
Status add_lines(Lowering& lowering, const model::Node& node, LineFunction<kOperands> function, const Captured& captured) {
  std::array<Stored, kOperands> operands;
  std::vector<BufferId> uses;
  const Stored* largest = nullptr;
  for (std::size_t i = 0; i < kOperands; ++i) {
    MORU_ASSIGN_OR_RETURN(operands[i], lowering.input(node, i));
    if (largest == nullptr || operands[i].count() > largest->count()) largest = &operands[i];
    uses.push_back(operands[i].buffer);
  }
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), largest->layout));
  uses.push_back(y.buffer);
  lowering.add(std::make_unique<LinesStep<kOperands>>(operands, y, function, captured), uses);
  may_overwrite(lowering, operands, y);
  return {};
}

template Status add_lines<1>(Lowering&, const model::Node&, LineFunction<1>, const Captured&);
template Status add_lines<2>(Lowering&, const model::Node&, LineFunction<2>, const Captured&);
template Status add_lines<3>(Lowering&, const model::Node&, LineFunction<3>, const Captured&);

Result<model::DType> dtype_of(const Lowering& lowering, const model::Node& node, std::size_t input) {
  if (!lowering.has_input(node, input)) return fail(ErrorCode::kUnsupported, "found an input that is left out, expected one");
  const auto dtype = lowering.graph().value(node.inputs[input]).type.dtype;
  if (!dtype) return fail(ErrorCode::kUnsupported, "found an input of no known type, expected one");
  return *dtype;
}

}  // namespace moru::runtime::engine
