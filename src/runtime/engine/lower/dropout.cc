// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {
namespace {

/// Outside of training it lets all through.
Status lower(Lowering& lowering, const model::Node& node) {
  if (node.outputs.size() > 1 && node.outputs[1] != model::kNoValue)
    return fail(ErrorCode::kUnsupported, "found a use of the mask, expected Y only");
  if (lowering.has_input(node, 2)) {
    MORU_ASSIGN_OR_RETURN(const model::Tensor* training, lowering.constant(node, 2));
    if (training->count() != 1 || training->bytes()[0] != std::byte{0})
      return fail(ErrorCode::kUnsupported, "found training, expected inference");
  }
  MORU_ASSIGN_OR_RETURN(const Stored stored, lowering.input(node, 0));
  lowering.alias(node.outputs.front(), stored);
  return {};
}

}  // namespace

extern const LowerSpec kLower_dropout;
const LowerSpec kLower_dropout{.name = "Dropout", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
