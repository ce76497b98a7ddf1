// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "runtime/engine/matrix.h"

namespace moru::runtime::engine {
namespace {

class MulLevelsStep final : public ElementsStep {
 public:
  MulLevelsStep(BufferId a, BufferId b, BufferId y, const kernels::MulU8& call, const kernels::Kernels& kernels)
      : ElementsStep(call.count), a_(a), b_(b), y_(y), call_(call), mul_u8_(kernels.elementwise->mul_u8) {}

  void run_elements(const Frame& frame, std::size_t first, std::size_t count) const noexcept override {
    kernels::MulU8 call = call_;
    call.count = count;
    call.a = frame.at<const std::uint8_t>(a_) + first;
    call.b = frame.at<const std::uint8_t>(b_) + first;
    call.y = frame.at<std::uint8_t>(y_) + first;
    mul_u8_(call);
  }

 private:
  BufferId a_;
  BufferId b_;
  BufferId y_;
  kernels::MulU8 call_;
  void (*mul_u8_)(const kernels::MulU8& call);
};

Status lower(Lowering& lowering, const model::Node& node) {
  enum Input : std::size_t { kA, kAZero, kB, kBZero, kFactor, kYZero };
  MORU_ASSIGN_OR_RETURN(const Stored a, lowering.input(node, kA));
  MORU_ASSIGN_OR_RETURN(const Stored b, lowering.input(node, kB, a.layout));
  if (a.dims != b.dims) {
    return fail(ErrorCode::kUnsupported,
                "found levels of shapes " + model::to_string(a.dims) + " and " + model::to_string(b.dims) + ", expected two of one shape");
  }
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), a.layout));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* factor, lowering.constant(node, kFactor));
  MORU_ASSIGN_OR_RETURN(const model::Tensor* y_zero, lowering.constant(node, kYZero));
  MORU_ASSIGN_OR_RETURN(const kernels::Requantize to, read_requantize(node, *y_zero));
  kernels::MulU8 call{.count = a.count(), .factor = factor->data<float>()[0], .low = to.low, .high = to.high, .zero = to.zero};
  MORU_ASSIGN_OR_RETURN(call.a_zero, read_zero(lowering, node, kAZero));
  MORU_ASSIGN_OR_RETURN(call.b_zero, read_zero(lowering, node, kBZero));
  if (!std::isfinite(call.factor)) return fail(ErrorCode::kInvalidArgument, "found a factor that is not finite");
  lowering.add(std::make_unique<MulLevelsStep>(a.buffer, b.buffer, y.buffer, call, lowering.kernels()), {a.buffer, b.buffer, y.buffer});
  return {};
}

}  // namespace

extern const LowerSpec kLower_moru_qmul;
const LowerSpec kLower_moru_qmul{.name = "QMul", .domain = "moru", .lower = lower};

}  // namespace moru::runtime::engine
