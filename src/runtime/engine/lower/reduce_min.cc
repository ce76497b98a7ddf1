// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "runtime/engine/reduce.h"

namespace moru::runtime::engine {
namespace {

void min_rows(const kernels::ElementwiseKernel& /*kernel*/, const float* x, std::size_t rows, std::ptrdiff_t stride, std::size_t count,
              float* y) {
  for (std::size_t i = 0; i < rows; ++i, x += stride) {
    for (std::size_t j = 0; j < count; ++j) y[j] = x[j] < y[j] ? x[j] : y[j];
  }
}

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_reduce(lowering, node, {.first = std::numeric_limits<float>::infinity(), .rows = min_rows, .one = [](float y, float x) {
                                         return x < y ? x : y;
                                       }});
}

}  // namespace

extern const LowerSpec kLower_reduce_min;
const LowerSpec kLower_reduce_min{.name = "ReduceMin", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
