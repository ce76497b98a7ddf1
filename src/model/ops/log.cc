// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Natural logarithms", R"(graph "log" {
  init x = float32[3] {1, 1e+01, 0.5}
  y = Log(x)
  output y
})",
                                    "float32[3] {0, 2.3025851, -0.6931472}"}};

Status reference(EvalContext& context) {
  return ops::map_floats(context, [](double x) { return std::log(x); });
}

}  // namespace

extern const OpSpec kOp_log;
constinit const OpSpec kOp_log = ops::unary_op({.name = "Log",
                                                .doc = "Element by element, any shape: Y = ln(X); NaN below 0, -inf at 0.",
                                                .infer = ops::infer_unary<ops::kFloats>,
                                                .reference = reference,
                                                .examples = kExamples});

}  // namespace moru::model
