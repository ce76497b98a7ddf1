// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/signal.h"

namespace moru::model {
namespace {

constexpr double kCoefficients[3] = {25.0 / 46, 21.0 / 46, 0};
constexpr OpExample kExamples[] = {{"Four numbers", R"(graph "hamming" {
  init size = int64[] {4}
  y = HammingWindow(size)
  output y
})",
                                    "float32[4] {0.08695652, 0.54347825, 1, 0.54347825}"}};

Status reference(EvalContext& context) { return ops::reference_window(context, kCoefficients); }

}  // namespace

extern const OpSpec kOp_hamming_window;
const OpSpec kOp_hamming_window{
    .name = "HammingWindow",
    .domain = "",
    .since = 17,
    .doc = "The Hamming window (Harris, \"On the use of windows for harmonic analysis\", 1978): output[n] = 25/46 - 21/46 cos(2 pi n / N).",
    .inputs = ops::kWindowInputs,
    .outputs = ops::kWindowOutputs,
    .attributes = ops::kWindowAttributes,
    .infer = ops::infer_window,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
