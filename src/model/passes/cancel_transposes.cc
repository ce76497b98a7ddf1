// SPDX-License-Identifier: Apache-2.0
// Pushing transposes through a graph until they meet their inverse is known from compilers (XLA's and TVM's layout passes);
// here whole regions are re-laid at once, when that makes the transposes that are left cheaper.
#include <array>
#include <utility>

#include "model/passes/layout/cancel.h"
#include "model/passes/layout/region.h"
#include "model/passes/layout/simplify.h"
#include "model/passes/pass.h"

namespace moru::model {
namespace layout {
namespace {

using Renames = std::vector<std::pair<std::string, std::string>>;

/// The first region around a transpose that is worth it.
bool relay_one(Graph& graph, Renames& renames) {
  RegionFinder finder(graph);
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const auto perm = permutation_of(graph, graph.nodes()[i]);
    if (!perm) continue;
    const ValueId from = graph.nodes()[i].inputs[0];
    const ValueId to = graph.nodes()[i].outputs[0];
    for (const Growth growth : {Growth::kAround, Growth::kDown}) {
      if (finder.try_region(to, *perm, growth, renames)) return true;
    }
    for (const Growth growth : {Growth::kAround, Growth::kUp}) {
      if (finder.try_region(from, inverse(*perm), growth, renames)) return true;
    }
  }
  return false;
}

/// A value that took another's place takes its name, where that has become free.
void give_names(Graph& graph, const Renames& renames) {
  for (auto it = renames.rbegin(); it != renames.rend(); ++it) {
    const auto id = graph.find_value(it->first);
    if (id && !graph.find_value(it->second)) graph.rename(*id, it->second);
  }
}

}  // namespace

std::int64_t cancel_transposes(Graph& graph) {
  Renames renames;
  std::int64_t changes = 0;
  for (bool changed = true; changed;) {
    const std::int64_t merged = merge_transposes(graph);
    changed = merged > 0;
    changes += merged;
    while (relay_one(graph, renames)) {
      changed = true;
      ++changes;
      graph.remove_unused();
      changes += merge_transposes(graph);
    }
    const std::int64_t folded = fold_into_weights(graph);
    changed = changed || folded > 0;
    changes += folded;
  }
  changes += simplify_reshapes(graph);
  give_names(graph, renames);
  return changes;
}

}  // namespace layout

namespace {

Result<std::int64_t> run(Graph& graph) { return layout::cancel_transposes(graph); }

}  // namespace

extern const PassSpec kPass_cancel_transposes;
const PassSpec kPass_cancel_transposes{
    .name = "cancel_transposes",
    .doc =
        "Lets neighbouring nodes work on transposed data wherever the transposes that are left then move fewer elements: a pair that "
        "undoes itself around elementwise ops, concatenations, paddings, reductions and the like goes. Transposes in a row become one; of "
        "a constant, a constant; before a flattening and a matrix product, an order of the weights' rows; of extents of 1, a Reshape. "
        "Works on ONNX's ops and on TFLite's.",
    .example = R"(graph "transposes" {
  input x: float32[1, 2, 3, 4]
  a = Transpose(x) {perm = [0, 2, 3, 1]}
  b = Relu(a)
  y = Transpose(b) {perm = [0, 3, 1, 2]}
  output y
})",
    .run = run};

}  // namespace moru::model
