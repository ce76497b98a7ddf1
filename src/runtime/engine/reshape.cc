// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/reshape.h"

namespace moru::runtime::engine {

Status lower_reshape(Lowering& lowering, const model::Node& node) {
  MORU_ASSIGN_OR_RETURN(Stored stored, lowering.input(node, 0, Layout::kPlain));
  MORU_ASSIGN_OR_RETURN(stored.dims, lowering.dims(node.outputs.front()));
  lowering.alias(node.outputs.front(), stored);
  return {};
}

}  // namespace moru::runtime::engine
