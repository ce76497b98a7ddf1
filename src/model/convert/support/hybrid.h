// SPDX-License-Identifier: Apache-2.0
// TFLite's "hybrid" layers: products of float inputs and int8 weights. Each run rounds the inputs to 8 bits, row by row, sums
// products of integers, and scales the sums back. ONNX has no such op, but the words to say it with.
#pragma once

#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/convert/rewrite.h"

namespace moru::model::convert {

/// Numbers of a row (what has one index of axis 0) as integers less their zero point, held by floats, and the step of each row:
/// x = levels * step, rounded.
struct Levels {
  ValueId values = kNoValue;  ///< as x
  ValueId step = kNoValue;    ///< [N, 1, ...]
};

/// A layer in ONNX's words, its parts as the op has them.
struct HybridLayer {
  std::string_view op;         ///< Conv or Gemm
  bool asymmetric = false;     ///< levels from the least to the largest element of a row; else from minus the largest magnitude to it
  ValueId x = kNoValue;        ///< [N, ...]
  ValueId weights = kNoValue;  ///< int8 values, held by floats
  ValueId scales = kNoValue;   ///< of the weights: one, or one a channel as channel_dims()
  ValueId bias = kNoValue;     ///< as channel_dims(), or left out
  Attributes attributes;       ///< of the op
};

/// Extents of what has one number a channel and stretches over a layer's output: [O, 1, 1] beside [N, O, H, W].
Dims channel_dims(std::int64_t channels, std::size_t rank);

/// Adds the nodes of a layer, which make `to`, in ONNX's words; with the arithmetic of TFLite's reference kernels.
void add_hybrid(Rewrite& rewrite, const HybridLayer& layer, ValueId to);

/// The weights (input 1) of a TFLite node that is a product, for add_product(): int8 without scales where the layer is hybrid.
/// kUnsupported for a hybrid layer whose weights are no constants of int8.
Result<ValueId> product_weights(Rewrite& rewrite);
/// Adds `op`, or what stands for it where the node is a hybrid layer. inputs: x, the weights, perhaps a bias; transposed or
/// reshaped as `op` wants them.
Status add_product(Rewrite& rewrite, std::string_view op, const std::vector<ValueId>& inputs, ValueId to, Attributes attributes);

/// On a graph in ONNX's words: what add_hybrid() made becomes its op again, whose weights are int8 with scales. A layer that
/// TFLite would round in another way stays as it is.
void fuse_hybrid(Graph& graph);

/// The same for our own engine: convolutions of one group that round symmetrically become HybridConv of domain moru.
void fuse_hybrid_convolutions(Graph& graph);

}  // namespace moru::model::convert
