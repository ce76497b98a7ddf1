// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/binary.h"

#include <algorithm>

namespace moru::runtime::engine {
namespace {

class BinaryStep final : public SplitStep {
 public:
  using Walk = Stretch<2>;
  struct Buffers {
    BufferId a;
    BufferId b;
    BufferId y;
  };
  BinaryStep(Walk walk, const Buffers& buffers, kernels::BinaryMap map, Bounds bounds)
      : SplitStep(walk.pieces()), walk_(std::move(walk)), a_(buffers.a), b_(buffers.b), y_(buffers.y), map_(map), bounds_(bounds) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    const float* a = frame.at<const float>(a_);
    const float* b = frame.at<const float>(b_);
    float* y = frame.at<float>(y_);
    walk_.for_each_line(begin, end, [&](const Walk::Places& places, std::int64_t to, const Walk::Axis& axis) {
      map_({.a = a + places[0],
            .b = b + places[1],
            .a_step = static_cast<std::size_t>(axis.steps[0]),
            .b_step = static_cast<std::size_t>(axis.steps[1]),
            .y = y + to,
            .count = static_cast<std::size_t>(axis.extent),
            .low = bounds_.low,
            .high = bounds_.high});
    });
  }

 private:
  Walk walk_;
  BufferId a_;
  BufferId b_;
  BufferId y_;
  kernels::BinaryMap map_;
  Bounds bounds_;
};

}  // namespace

void add_binary(Lowering& lowering, const Stored& a, const Stored& b, const Stored& y, kernels::BinaryMap map, Bounds bounds) {
  lowering.add(std::make_unique<BinaryStep>(Stretch<2>({a, b}, y), BinaryStep::Buffers{a.buffer, b.buffer, y.buffer}, map, bounds),
               {a.buffer, b.buffer, y.buffer});
  may_overwrite(lowering, std::array{a, b}, y);
}

Status lower_binary(Lowering& lowering, const model::Node& node, kernels::BinaryMap map) {
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, 0));
  MORU_ASSIGN_OR_RETURN(const Stored b, lowering.input(node, 1));
  if (!a.is_float() || !b.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
  model::ValueId value = node.outputs.front();
  const Bounds bounds = lowering.absorb_bounds(value);
  const bool follows_a = a.count() >= b.count();
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(value, follows_a ? a.layout : b.layout));
  add_binary(lowering, a, b, y, map, bounds);
  return {};
}

Status lower_variadic(Lowering& lowering, const model::Node& node, kernels::BinaryMap map, float factor) {
  std::vector<Stored> inputs;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(Stored input, lowering.input(node, i));
    if (!input.is_float()) return fail(ErrorCode::kUnsupported, "expected float32");
    inputs.push_back(std::move(input));
  }
  if (inputs.size() == 1) {
    lowering.alias(node.outputs.front(), inputs.front());
    return {};
  }
  const Stored& largest = *std::ranges::max_element(inputs, {}, &Stored::count);
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), largest.layout));
  // Each result has the shape of the last one, and is an operand of the next where it lies.
  add_binary(lowering, inputs[0], inputs[1], y, map, {});
  for (std::size_t i = 2; i < inputs.size(); ++i) add_binary(lowering, y, inputs[i], y, map, {});
  if (factor == 1.0F) return {};
  MORU_ASSIGN_OR_RETURN(const Stored number, lowering.kept_value({factor}, {}));
  add_binary(lowering, y, number, y, lowering.kernels().map->mul, {});
  return {};
}

}  // namespace moru::runtime::engine
