// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/graph/graph.h"

namespace moru::model::convert {

/// On a graph in ONNX's words: an activation that TFLite has inside of other ops becomes the attribute
/// `fused_activation_function` of the node before it, which alone makes its input; and an Add of a constant row becomes the third
/// input of a MatMul.
void fuse_for_tflite(Graph& graph);

}  // namespace moru::model::convert
