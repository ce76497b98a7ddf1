// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/signal.h"

namespace moru::model {
namespace {

constexpr double kCoefficients[3] = {0.5, 0.5, 0.0};
constexpr OpExample kExamples[] = {{"Four numbers", R"(graph "hann" {
  init size = int64[] {4}
  y = HannWindow(size)
  output y
})",
                                    "float32[4] {0, 0.5, 1, 0.5}"}};

Status reference(EvalContext& context) { return ops::reference_window(context, kCoefficients); }

}  // namespace

extern const OpSpec kOp_hann_window;
const OpSpec kOp_hann_window{
    .name = "HannWindow",
    .domain = "",
    .since = 17,
    .doc = "The Hann window (Harris, \"On the use of windows for harmonic analysis\", 1978): output[n] = 0.5 - 0.5 cos(2 pi n / N).",
    .inputs = ops::kWindowInputs,
    .outputs = ops::kWindowOutputs,
    .attributes = ops::kWindowAttributes,
    .infer = ops::infer_window,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
