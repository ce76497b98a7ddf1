// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/matrix.h"
#include "runtime/engine/quantization.h"
#include "runtime/engine/softmax.h"

namespace moru::runtime::engine {
namespace {

class DequantizeStep final : public ElementsStep {
 public:
  DequantizeStep(BufferId x, BufferId y, std::size_t count, float scale, std::int32_t zero, const kernels::Kernels& kernels)
      : ElementsStep(count), x_(x), y_(y), scale_(scale), zero_(zero), dequantize_(kernels.elementwise->dequantize) {}

  void run_elements(const Frame& frame, std::size_t first, std::size_t count) const noexcept override {
    dequantize_(frame.at<const std::uint8_t>(x_) + first, frame.at<float>(y_) + first, count, scale_, zero_);
  }

 private:
  BufferId x_;
  BufferId y_;
  float scale_;
  std::int32_t zero_;
  void (*dequantize_)(const std::uint8_t* x, float* y, std::size_t count, float scale, std::int32_t zero);
};

Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0));
  MORU_ASSIGN_OR_RETURN(const bool is_plain, has_one_level_scale(lowering, node, x.dtype));
  if (!is_plain) return lower_dequantize(lowering, node);
  MORU_ASSIGN_OR_RETURN(const LevelScale scale, read_level_scale(lowering, node, x.dtype));
  MORU_ASSIGN_OR_RETURN(const bool is_softmax, absorb_softmax(lowering, node, x, scale));
  if (is_softmax) return {};
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), x.layout));
  if (!y.is_float()) return fail(ErrorCode::kUnsupported, "expected levels to float32");
  lowering.add(std::make_unique<DequantizeStep>(x.buffer, y.buffer, x.count(), scale.scale, scale.zero, lowering.kernels()),
               {x.buffer, y.buffer});
  return {};
}

}  // namespace

extern const LowerSpec kLower_dequantize_linear;
const LowerSpec kLower_dequantize_linear{.name = "DequantizeLinear", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
