// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/reduce.h"

namespace moru::runtime::engine {
namespace {

void take(const kernels::ElementwiseKernel& /*kernel*/, const float* x, std::size_t rows, std::ptrdiff_t stride, std::size_t count,
          float* y) {
  for (std::size_t i = 0; i < rows; ++i, x += stride) {
    for (std::size_t j = 0; j < count; ++j) y[j] *= x[j];
  }
}

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_reduce(lowering, node, {.first = 1, .rows = take, .one = [](float y, float x) { return y * x; }});
}

}  // namespace

extern const LowerSpec kLower_reduce_prod;
const LowerSpec kLower_reduce_prod{.name = "ReduceProd", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
