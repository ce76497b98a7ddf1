// SPDX-License-Identifier: Apache-2.0
// Makes ONNX's graph of ours; for the writer only.
#pragma once

#include <functional>

#include "model/formats/onnx/convert.h"
#include "model/formats/onnx/downgrade.h"

namespace moru::model::onnx {

/// Writes an initializer's type, shape and numbers.
using TensorWriter = std::function<void(const Tensor&, pb::TensorProto*)>;

/// Bodies take what they capture by its name in the graph around them, as the format wants it. A name in a body that means something
/// else outside is changed.
void write_graph(const Downgraded& source, const TensorWriter& write_tensor, pb::GraphProto* out);

}  // namespace moru::model::onnx
