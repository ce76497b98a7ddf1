// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/matrix.h"
#include "runtime/engine/quantization.h"

namespace moru::runtime::engine {
namespace {

class QuantizeStep final : public ElementsStep {
 public:
  QuantizeStep(BufferId x, BufferId y, std::size_t count, float scale, kernels::Requantize to, const kernels::Kernels& kernels)
      : ElementsStep(count), x_(x), y_(y), scale_(scale), to_(to), quantize_(kernels.elementwise->quantize) {}

  void run_elements(const Frame& frame, std::size_t first, std::size_t count) const noexcept override {
    quantize_(frame.at<const float>(x_) + first, frame.at<std::uint8_t>(y_) + first, count, scale_, to_.low, to_.high, to_.zero);
  }

 private:
  BufferId x_;
  BufferId y_;
  float scale_;
  kernels::Requantize to_;
  void (*quantize_)(const float* x, std::uint8_t* y, std::size_t count, float scale, float low, float high, std::int32_t zero);
};

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0));
  if (!x.is_float()) return fail(ErrorCode::kUnsupported, "expected float32 to levels");
  const auto dtype = lowering.graph().value(node.outputs.front()).type.dtype;
  MORU_ASSIGN_OR_RETURN(const bool is_plain, has_one_level_scale(lowering, node, dtype.value_or(model::DType::kFloat32)));
  if (!is_plain) return lower_quantize(lowering, node);
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), x.layout));
  MORU_ASSIGN_OR_RETURN(const LevelScale scale, read_level_scale(lowering, node, y.dtype));
  const kernels::Requantize to{.low = static_cast<float>(-scale.zero), .high = static_cast<float>(255 - scale.zero), .zero = scale.zero};
  lowering.add(std::make_unique<QuantizeStep>(x.buffer, y.buffer, x.count(), scale.scale, to, lowering.kernels()), {x.buffer, y.buffer});
  return {};
}

}  // namespace

extern const LowerSpec kLower_quantize_linear;
const LowerSpec kLower_quantize_linear{.name = "QuantizeLinear", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
