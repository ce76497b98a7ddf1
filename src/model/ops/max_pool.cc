// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include "model/ops/support/pool.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, spatial...]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, spatial...]"}};
constexpr AttributeSpec kAttributes[] = {
    {"auto_pad", AttributeKind::kString, "NOTSET (use pads), SAME_UPPER, SAME_LOWER or VALID"},
    {"ceil_mode", AttributeKind::kInt, "1: a last window that is only partly inside counts too; 0"},
    {"dilations", AttributeKind::kInts, "distance of the window's taps, one a spatial axis; 1"},
    {"kernel_shape", AttributeKind::kInts, "size of the window, one a spatial axis", true},
    {"pads", AttributeKind::kInts, "padding before each spatial axis, then after each; 0"},
    {"storage_order", AttributeKind::kInt, "of the indices output, which is not built: no effect"},
    {"strides", AttributeKind::kInts, "step of the window, one a spatial axis; 1"},
};
constexpr OpExample kExamples[] = {{"2x2 windows side by side", R"(graph "max_pool" {
  init x = float32[1, 1, 2, 4] {1, 2, 3, 4, 8, 7, 6, 5}
  y = MaxPool(x) {kernel_shape = [2, 2], strides = [2, 2]}
  output y
})",
                                    "float32[1, 1, 1, 2] {8, 6}"}};

Status infer(InferContext& context) { return ops::infer_pool(context, {DType::kFloat32, DType::kInt8, DType::kUInt8}); }

Status reference(EvalContext& context) {
  return ops::for_dtype<float, std::int8_t, std::uint8_t>(context.input(0).dtype(), [&]<class T>() {
    return ops::reference_pool<T>(context, [](const T* plane, std::span<const std::int64_t> inside, std::int64_t) {
      // A window wholly in the padding has no element: the lowest number, which is what the padding stands for.
      T best = std::numeric_limits<T>::lowest();
      for (const std::int64_t offset : inside) best = std::max(best, plane[offset]);
      return best;
    });
  });
}

}  // namespace

extern const OpSpec kOp_max_pool;
const OpSpec kOp_max_pool{.name = "MaxPool",
                          .domain = "",
                          .since = 10,
                          .doc =
                              "The largest element in each window; padding never wins. X [N, C, spatial...] -> Y [N, C, spatial...]: "
                              "Y[n, c, p] = max over k of X[n, c, p * stride - pad + k * dilation].",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attributes = kAttributes,
                          .infer = infer,
                          .reference = reference,
                          .examples = kExamples};

}  // namespace moru::model
