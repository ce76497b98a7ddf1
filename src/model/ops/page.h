// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace moru::model {

/// docs/ops.md: each op with its opset and the element types it takes, and what of ONNX is missing and why. `moru ops --markdown`
/// prints it; a test holds the file to it.
std::string ops_page();

}  // namespace moru::model
