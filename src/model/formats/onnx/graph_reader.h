// SPDX-License-Identifier: Apache-2.0
// Makes our graph of ONNX's; for the reader only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/formats/onnx/convert.h"

namespace moru::model::onnx {

/// What holds for the whole model.
struct ModelSource {
  TensorSource tensors;
  std::int64_t opset = 0;                                                  ///< of ONNX's own domain, in the file
  std::map<std::string, std::int64_t, std::less<>> domains;                ///< opsets of the others
  std::map<std::string, const pb::FunctionProto*, std::less<>> functions;  ///< by function_key()
  std::int64_t nodes_of_functions = 0;                                     ///< made so far
};

std::string function_key(std::string_view domain, std::string_view name, std::string_view overload);

/// The graph with its bodies, calls of functions replaced, not verified yet.
Result<Graph> read_graph(const pb::GraphProto& proto, ModelSource& source);

}  // namespace moru::model::onnx
