// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/formats/onnx/convert.h"

namespace moru::model::onnx {

using NodeList = google::protobuf::RepeatedPtrField<pb::NodeProto>;

/// "node 3 ('Conv' 'conv1')", by the node's place in the file.
std::string describe(const pb::NodeProto& node, int index);

/// The order of the file where that is right (the format says it is), else the nearest order that is. `known(name)` says whether
/// a value is there before all nodes. What bodies of nodes use counts too. Errors: kCorrupt: an output that something else makes
/// too, an input that nothing makes, a cycle.
Result<std::vector<int>> node_order(const NodeList& nodes, const std::function<bool(std::string_view)>& made_before,
                                    const std::function<bool(std::string_view)>& known);

}  // namespace moru::model::onnx
