// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/movement.h"

namespace moru::runtime::engine {
namespace {

/// To the nearest is a movement; other modes compute.
Status lower(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(const std::string mode, model::string_attribute(node, "mode", "nearest"));
  MORU_ASSIGN_OR_RETURN(const std::string coordinates, model::string_attribute(node, "coordinate_transformation_mode", "half_pixel"));
  if (mode != "nearest" || coordinates == "tf_crop_and_resize") {
    return fail(ErrorCode::kUnsupported,
                "found mode '" + mode + "' and coordinates '" + coordinates + "', expected the nearest element of the input");
  }
  return lower_movement(lowering, node);
}

}  // namespace

extern const LowerSpec kLower_resize;
const LowerSpec kLower_resize{.name = "Resize", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
