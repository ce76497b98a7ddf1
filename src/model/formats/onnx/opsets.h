// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"
#include "model/formats/onnx/convert.h"

namespace moru::model::onnx {

/// ONNX's own domain has two names; here it has one.
std::string domain_of(const std::string& domain);

/// The opset of ONNX's own domain, between 1 and kNewestOpset. `fallback` where there is none (0: an error).
Result<std::int64_t> own_opset(const google::protobuf::RepeatedPtrField<pb::OperatorSetIdProto>& imports, std::int64_t fallback);

}  // namespace moru::model::onnx
