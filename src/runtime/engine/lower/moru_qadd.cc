// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {
namespace {

class AddLevelsStep final : public Step {
 public:
  AddLevelsStep(BufferId a, BufferId b, BufferId y, const kernels::AddU8& call, const kernels::Kernels& kernels)
      : a_(a), b_(b), y_(y), call_(call), add_u8_(kernels.elementwise->add_u8) {}

  void run(const Frame& frame) const noexcept override {
    kernels::AddU8 call = call_;
    call.a = frame.at<const std::uint8_t>(a_);
    call.b = frame.at<const std::uint8_t>(b_);
    call.y = frame.at<std::uint8_t>(y_);
    add_u8_(call);
  }

 private:
  BufferId a_;
  BufferId b_;
  BufferId y_;
  kernels::AddU8 call_;
  void (*add_u8_)(const kernels::AddU8& call);
};

Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kA, kAZero, kAFactor, kB, kBZero, kBFactor, kYZero };
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, kA));
  MORU_ASSIGN_OR_RETURN(const Stored b, lowering.input(node, kB, a.layout));
  if (a.dims != b.dims) {
    return fail(ErrorCode::kUnsupported,
                "found levels of shapes " + model::to_string(a.dims) + " and " + model::to_string(b.dims) + ", expected two of one shape");
  }
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), a.layout));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* a_factor, lowering.constant(node, kAFactor));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* b_factor, lowering.constant(node, kBFactor));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* y_zero, lowering.constant(node, kYZero));
  MORU_ASSIGN_OR_RETURN(const kernels::Requantize to, read_requantize(node, *y_zero));
  kernels::AddU8 call{.count = a.count(), .low = to.low, .high = to.high, .zero = to.zero};
  MORU_ASSIGN_OR_RETURN(call.a_zero, read_zero(lowering, node, kAZero));
  MORU_ASSIGN_OR_RETURN(call.b_zero, read_zero(lowering, node, kBZero));
  call.a_factor = a_factor->data<float>()[0];
  call.b_factor = b_factor->data<float>()[0];
  // Their sums must be numbers, too: 255 steps of each.
  constexpr float kMost = 1e30F;
  if (!(std::fabs(call.a_factor) < kMost) || !(std::fabs(call.b_factor) < kMost)) {
    return fail(ErrorCode::kInvalidArgument, "found factors that are not finite or huge, expected less than 1e30");
  }
  // As kernels_for_sums().
  const bool in_range = std::max(std::fabs(call.a_factor), std::fabs(call.b_factor)) < float{1 << 20};
  const kernels::Kernels kernels = in_range ? lowering.kernels() : kernels::kernels_for(kernels::Isa::kScalar);
  lowering.add(std::make_unique<AddLevelsStep>(a.buffer, b.buffer, y.buffer, call, kernels), {a.buffer, b.buffer, y.buffer});
  return {};
}

}  // namespace

extern const LowerSpec kLower_moru_qadd;
const LowerSpec kLower_moru_qadd{.name = "QAdd", .domain = "moru", .lower = lower};

}  // namespace moru::runtime::engine
