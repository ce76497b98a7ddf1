// SPDX-License-Identifier: Apache-2.0
// Two tensors of levels, element by element, stretched to one shape.
#pragma once

#include <cstring>

#include "runtime/engine/stretch.h"

namespace moru::runtime::engine {

/// Runs a kernel line by line. Where an operand stands still on a line, it is written out for as long as that is.
template <class Call>
class LevelsPairStep final : public SplitStep {
 public:
  using Walk = Stretch<2>;
  struct Scratch {
    BufferId a = -1;
    BufferId b = -1;
  };
  LevelsPairStep(const Walk& walk, BufferId a, BufferId b, BufferId y, Scratch scratch, const Call& call, void (*kernel)(const Call& call))
      : SplitStep(walk.pieces()), walk_(walk), a_(a), b_(b), y_(y), scratch_(scratch), call_(call), kernel_(kernel) {}

  void run_pieces(const Frame& frame, int begin, int end) const noexcept override {
    const auto* a = frame.at<const std::uint8_t>(a_);
    const auto* b = frame.at<const std::uint8_t>(b_);
    auto* y = frame.at<std::uint8_t>(y_);
    walk_.for_each_line(begin, end, [&](const Walk::Places& places, std::int64_t to, const Walk::Axis& axis) {
      Call call = call_;
      call.count = static_cast<std::size_t>(axis.extent);
      call.a = spread(frame, scratch_.a, a + places[0], axis.steps[0], call.count);
      call.b = spread(frame, scratch_.b, b + places[1], axis.steps[1], call.count);
      call.y = y + to;
      kernel_(call);
    });
  }

 private:
  static const std::uint8_t* spread(const Frame& frame, BufferId scratch, const std::uint8_t* from, std::int64_t step,
                                    std::size_t count) noexcept {
    if (step != 0 || count == 0) return from;
    auto* line = frame.at<std::uint8_t>(scratch);
    std::memset(line, *from, count);
    return line;
  }

  Walk walk_;
  BufferId a_;
  BufferId b_;
  BufferId y_;
  Scratch scratch_;
  Call call_;
  void (*kernel_)(const Call& call);
};

/// Adds the step: y = kernel(a, b), with `call` but for its pointers and count.
template <class Call>
void add_levels_pair(Lowering& lowering, const Stored& a, const Stored& b, const Stored& y, const Call& call,
                     void (*kernel)(const Call& call)) {
  const Stretch<2> walk({a, b}, y);
  std::array<bool, 2> stands{};
  std::int64_t longest = 0;
  walk.for_each_line([&](const auto& /*places*/, std::int64_t /*to*/, const auto& axis) {
    for (std::size_t k = 0; k < stands.size(); ++k) stands[k] = axis.steps[k] == 0;
    longest = axis.extent;
  });
  std::vector<BufferId> uses = {a.buffer, b.buffer, y.buffer};
  typename LevelsPairStep<Call>::Scratch scratch;
  const auto line = [&] {
    uses.push_back(lowering.scratch(static_cast<std::size_t>(longest)));
    return uses.back();
  };
  if (stands[0]) scratch.a = line();
  if (stands[1]) scratch.b = line();
  lowering.add(std::make_unique<LevelsPairStep<Call>>(walk, a.buffer, b.buffer, y.buffer, scratch, call, kernel), uses);
  // Pieces of whole registers: else a kernel would read, behind the end of one, what another worker writes.
  if (lies_as(a, y) && lies_as(b, y)) may_overwrite(lowering, std::array{a, b}, y);
}

}  // namespace moru::runtime::engine
