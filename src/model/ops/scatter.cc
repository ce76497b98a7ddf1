// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/scatter.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type, rank 1 or more"},
                                {"indices", "int32 or int64, data's rank: indices of axis; negative: from the end"},
                                {"updates", "data's type, shaped as indices"}};
constexpr PortSpec kOutputs[] = {{"output", "as data"}};
constexpr AttributeSpec kAttributes[] = {{"axis", AttributeKind::kInt, "the axis that is indexed; 0"}};
constexpr OpExample kExamples[] = {{"Two elements of a row", R"(graph "scatter" {
  init x = float32[1, 5] {1, 2, 3, 4, 5}
  init indices = int64[1, 2] {1, 3}
  init updates = float32[1, 2] {0.5, 0.25}
  y = Scatter(x, indices, updates) {axis = 1}
  output y
})",
                                    "float32[1, 5] {1, 0.5, 3, 0.25, 5}"}};

/// The op has another name since opset 11.
Status rename(NodeRewrite& rewrite) {
  rewrite.node.op = "ScatterElements";
  return {};
}

}  // namespace

extern const OpSpec kOp_scatter;
const OpSpec kOp_scatter{
    .name = "Scatter",
    .domain = "",
    .since = 9,
    .doc = "The old name of ScatterElements (opsets 9 and 10), which it becomes when it is read from ONNX or written to it.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = ops::infer_scatter_elements,
    .reference = ops::reference_scatter_elements,
    .examples = kExamples,
    .upgrade = rename,
    .downgrade = rename};

}  // namespace moru::model
