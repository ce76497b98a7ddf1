// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/opsets.h"

#include <fmt/format.h>

#include <optional>

#include "model/ops/versions.h"

namespace moru::model::onnx {

std::string domain_of(const std::string& domain) { return domain == "ai.onnx" ? std::string() : domain; }

Result<std::int64_t> own_opset(const google::protobuf::RepeatedPtrField<pb::OperatorSetIdProto>& imports, std::int64_t fallback) {
  std::optional<std::int64_t> opset;
  for (const auto& import : imports) {
    if (!domain_of(import.domain()).empty()) continue;  // whether its ops are known is seen when one is used
    if (opset && *opset != import.version())
      return fail(ErrorCode::kCorrupt, fmt::format("found opsets {} and {}, expected one", *opset, import.version()));
    opset = import.version();
  }
  if (!opset && fallback == 0) {
    const auto code = imports.empty() ? ErrorCode::kCorrupt : ErrorCode::kUnsupported;  // all ops are of another domain
    return fail(code, "found no opset of ONNX's own ops, expected one");
  }
  const std::int64_t found = opset.value_or(fallback);
  if (found < 1 || found > kNewestOpset) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("found opset {}, expected 1 to {}; export the model with an opset in that range", found, kNewestOpset));
  }
  return found;
}

}  // namespace moru::model::onnx
