// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/signal.h"

namespace moru::model {
namespace {

constexpr double kCoefficients[3] = {0.42, 0.5, 0.08};
constexpr OpExample kExamples[] = {{"Four numbers", R"(graph "blackman" {
  init size = int64[] {4}
  y = BlackmanWindow(size)
  output y
})",
                                    "float32[4] {0, 0.34, 1, 0.34}"}};

Status reference(EvalContext& context) { return ops::reference_window(context, kCoefficients); }

}  // namespace

extern const OpSpec kOp_blackman_window;
const OpSpec kOp_blackman_window{.name = "BlackmanWindow",
                                 .domain = "",
                                 .since = 17,
                                 .doc =
                                     "The Blackman window (Harris, \"On the use of windows for harmonic analysis\", 1978): output[n] = "
                                     "0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N).",
                                 .inputs = ops::kWindowInputs,
                                 .outputs = ops::kWindowOutputs,
                                 .attributes = ops::kWindowAttributes,
                                 .infer = ops::infer_window,
                                 .reference = reference,
                                 .examples = kExamples};

}  // namespace moru::model
