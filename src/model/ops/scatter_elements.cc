// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/scatter.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type, rank 1 or more"},
                                {"indices", "int32 or int64, data's rank: indices of axis; negative: from the end"},
                                {"updates", "data's type, shaped as indices"}};
constexpr PortSpec kOutputs[] = {{"output", "as data"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis that is indexed; 0"},
                                         {"reduction", AttributeKind::kString, ops::kReductionDoc}};
constexpr OpExample kExamples[] = {{"Two elements of a row", R"(graph "scatter_elements" {
  init x = float32[1, 5] {1, 2, 3, 4, 5}
  init indices = int64[1, 2] {1, -2}
  init updates = float32[1, 2] {0.5, 0.25}
  y = ScatterElements(x, indices, updates) {axis = 1}
  output y
})",
                                    "float32[1, 5] {1, 0.5, 3, 0.25, 5}"},
                                   {"Added, also twice in one place", R"(graph "add" {
  init x = int32[3] {1, 2, 3}
  init indices = int64[2] {1, 1}
  init updates = int32[2] {10, 100}
  y = ScatterElements(x, indices, updates) {reduction = "add"}
  output y
})",
                                    "int32[3] {1, 112, 3}"}};

}  // namespace

extern const OpSpec kOp_scatter_elements;
const OpSpec kOp_scatter_elements{
    .name = "ScatterElements",
    .domain = "",
    .since = 11,
    .doc =
        "A copy of data with single elements written by an index of one axis: on axis 1, output[p, indices[p, q, "
        "r], r] = updates[p, q, r], in order.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = ops::infer_scatter_elements,
    .reference = ops::reference_scatter_elements,
    .examples = kExamples,
    .downgrade = ops::downgrade_reduction};

}  // namespace moru::model
