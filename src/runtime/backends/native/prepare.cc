// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/native/prepare.h"

#include <map>
#include <string>

#include "model/convert/support/hybrid.h"
#include "model/passes/pass.h"

namespace moru::runtime::native {

using model::Graph;

Result<Graph> prepare_graph(Graph graph) {
  // Groups of quantised ops first: folding would make floats of their weights.
  const std::string passes[] = {"eliminate_identity", "fuse_qdq", "fuse_qlinear", "fold_constants", "fold_batch_norm"};
  MORU_RETURN_IF_ERROR(model::run_passes(graph, passes));
  model::convert::fuse_hybrid_convolutions(graph);
  return graph;
}

Result<Graph> with_extents(const Graph& graph, std::span<const model::Dims> extents) {
  Graph bound = graph;
  std::map<std::string, std::int64_t> named;
  for (std::size_t i = 0; i < bound.inputs.size(); ++i) {
    model::ValueType type = bound.value(bound.inputs[i]).type;
    for (std::size_t axis = 0; axis < type.shape->size(); ++axis) {
      model::Dim& dim = (*type.shape)[axis];
      if (!dim.known() && !dim.symbol.empty()) named[dim.symbol] = extents[i][axis];
      dim = {extents[i][axis], {}};
    }
    bound.set_type(bound.inputs[i], std::move(type));
  }
  for (model::ValueId id = 0; static_cast<std::size_t>(id) < bound.value_count(); ++id) {
    model::ValueType type = bound.value(id).type;
    if (!type.shape) continue;
    for (model::Dim& dim : *type.shape) {
      if (const auto found = named.find(dim.symbol); !dim.known() && found != named.end()) dim = {found->second, {}};
    }
    bound.set_type(id, std::move(type));
  }
  const std::string passes[] = {"fold_constants"};  // shapes that are computed are numbers now
  MORU_RETURN_IF_ERROR(model::run_passes(bound, passes));
  return bound;
}

}  // namespace moru::runtime::native
