// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/reduce.h"

namespace moru::runtime::engine {
namespace {

void sum_rows(const kernels::ElementwiseKernel& kernel, const float* x, std::size_t rows, std::ptrdiff_t stride, std::size_t count,
              float* y) {
  kernel.sum_rows_f32(x, rows, stride, count, y);
}

Status lower(Lowering& lowering, const model::Node& node) {
  return lower_reduce(lowering, node, {.first = 0, .rows = sum_rows, .one = [](float y, float x) { return y + x; }, .is_mean = true});
}

}  // namespace

extern const LowerSpec kLower_reduce_mean;
const LowerSpec kLower_reduce_mean{.name = "ReduceMean", .domain = "", .lower = lower};

}  // namespace moru::runtime::engine
