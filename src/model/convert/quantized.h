// SPDX-License-Identifier: Apache-2.0
// Quantised values, said in two ways: by pairs of QuantizeLinear and DequantizeLinear around float ops (ONNX), and by types
// (TFLite). Graphs here are of mixed words (rewrite.h).
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "model/convert/convert.h"
#include "model/graph/graph.h"

namespace moru::model::convert {

/// Pairs around an op become quantised types of its inputs and output, where all of them are quantised. What is left of the
/// pairs then stands where floats become integers or the reverse. Changes only words, and notes nothing.
Status pairs_to_types(Graph& graph);

/// Makes quantised types fit for TFLite: uint8 beside int8 becomes int8 (exact), asymmetric int8 weights symmetric ones, biases
/// int32 of scale x times weights. kUnsupported for what `exact` refuses.
Status fit_weights(Graph& graph, const ConvertOptions& options, std::vector<std::string>& notes);

/// On a graph in TFLite's words: where a kernel wants equal scales or gives a fixed one, a QUANTIZE goes between.
Status fit_scales(Graph& graph, const ConvertOptions& options, std::vector<std::string>& notes);

/// Quantised types become pairs. kUnsupported for what ONNX cannot say (biases beyond int32).
Status types_to_pairs(Graph& graph);

/// real = scale * (stored - zero point), rounded to float once.
Result<Tensor> dequantized(const Tensor& tensor, const Quantization& quantization);

}  // namespace moru::model::convert
