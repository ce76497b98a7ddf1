// SPDX-License-Identifier: Apache-2.0
// Post-training quantisation to int8, written as standard ONNX QuantizeLinear / DequantizeLinear pairs (QDQ) that
// runtimes fuse into integer kernels. After Jacob et al., 2018 (affine activations, integer bias) and Krishnamoorthi,
// 2018 (symmetric weights, one scale for each output channel).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "forge/compress/calibrate.h"
#include "model/graph/graph.h"

namespace moru::forge {

struct QuantizeOptions {
  /// Bits of a weight, stored in int8. 7: [-63, 63]. On x86 machines without VNNI the integer kernels add pairs of
  /// uint8 x int8 products in 16 bits with saturation; 2 * 255 * 63 = 32130 fits, 2 * 255 * 127 = 64770 does not, so 8 bits
  /// would give answers that differ from machine to machine.
  int weight_bits = 7;
};

/// The activations that quantize() will round: inputs of Conv, Gemm, Add, MaxPool, GlobalAveragePool and Flatten, each by
/// name. A Relu in front of one is taken into its range. Logits and what follows them stay float. Calibrate these.
std::vector<std::string> values_to_quantize(const model::Graph& graph);

/// The model with activations as uint8 (affine, per tensor), weights of Conv and Gemm as int8 (symmetric, per output
/// channel) and biases as int32. Batch norms should have been folded before (pass fold_batch_norm).
/// Errors: kInvalidArgument for a value without a range, kUnsupported for weights that are not constant.
Result<model::Graph> quantize(const model::Graph& graph, const Ranges& ranges, const QuantizeOptions& options = {});

/// Scale and zero point of a uint8 tensor that holds `range`: x = scale * (q - zero_point), zero exact.
struct AffineScale {
  float scale = 1.0F;
  std::uint8_t zero_point = 0;
};
AffineScale affine_scale(const ValueRange& range);

}  // namespace moru::forge
