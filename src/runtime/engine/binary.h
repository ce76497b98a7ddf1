// SPDX-License-Identifier: Apache-2.0
// Two float tensors, element by element, stretched to one shape.
#pragma once

#include "runtime/engine/lowering.h"

namespace moru::runtime::engine {

/// How an op computes: on dense rows of equal length (null: it has no kernel for them), and on two numbers.
struct BinaryKernel {
  void (*rows)(const float* a, const float* b, float* y, std::size_t count, float low, float high) = nullptr;
  float (*one)(float a, float b) = nullptr;
};

/// Lowers a node with two inputs and one output. kUnsupported for levels.
Status lower_binary(Lowering& lowering, const model::Node& node, const BinaryKernel& kernel);

}  // namespace moru::runtime::engine
