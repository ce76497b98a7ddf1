// SPDX-License-Identifier: Apache-2.0
// The rules that rules.cc has in its tables; what a rule does is said in rules.h.
#pragma once

#include "model/passes/layout/rules.h"

namespace moru::model::layout {

/// Each output element comes from one element of each input, by broadcasting.
bool elementwise(PermuteContext& context);
/// The inputs behind the first are scalars.
bool first_input(PermuteContext& context);
/// All inputs alike, with an attribute `axis`, 0 when left out.
bool along_first_axis(PermuteContext& context);
/// The same, -1 when left out.
bool along_last_axis(PermuteContext& context);
/// TFLite's softmax: along the last axis, whatever it is.
bool last_axis_stays(PermuteContext& context);
bool quantize_linear(PermuteContext& context);
bool onnx_split(PermuteContext& context);
bool onnx_pad(PermuteContext& context);
bool onnx_slice(PermuteContext& context);
bool onnx_reduce(PermuteContext& context);
bool onnx_arg(PermuteContext& context);
bool onnx_resize(PermuteContext& context);
bool tflite_pad(PermuteContext& context);
bool tflite_slice(PermuteContext& context);
bool tflite_strided_slice(PermuteContext& context);
bool tflite_reduce(PermuteContext& context);

}  // namespace moru::model::layout
