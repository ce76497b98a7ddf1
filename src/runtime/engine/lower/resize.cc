// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/movement.h"
#include "runtime/engine/resample.h"

namespace moru::runtime::engine {
namespace {

/// To the nearest is a movement, unless a place outside gets a value of its own; other modes compute.
Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const model::ops::Resampling how, model::ops::read_resampling(node));
  const bool crops = how.coordinates == model::ops::Coordinates::kTfCropAndResize;
  if (how.interpolation == model::ops::Interpolation::kNearest && !crops) return lower_movement(lowering, node);
  MORU_ASSIGN_OR_RETURN(const Stored x, lowering.input(node, 0));
  if (!x.is_float() || x.count() == 0) return fail(ErrorCode::kUnsupported, "expected float32, and no empty tensor");
  std::vector<const model::Tensor*> inputs(node.inputs.size(), nullptr);
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    if (!lowering.has_input(node, i)) continue;
    MORU_ASSIGN_OR_RETURN(inputs[i], lowering.constant(node, i));
  }
  MORU_ASSIGN_OR_RETURN(const auto resizes, model::ops::read_resizes(node, x.dims, inputs));
  MORU_ASSIGN_OR_RETURN(const Stored y, lowering.output(node.outputs.front(), x.layout));
  return add_resample(lowering, x, y, resizes, how);
}

}  // namespace

extern const LowerSpec kLower_resize;
const LowerSpec kLower_resize{.name = "Resize", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
