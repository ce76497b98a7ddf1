// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/random.h"

namespace moru::model {
namespace {

constexpr PortSpec kOutputs[] = {{"output", "of the given shape"}};
constexpr AttributeSpec kAttributes[] = {{"dtype", AttributeKind::kInt, "ONNX's number of the element type; float32"},
                                         {"shape", AttributeKind::kInts, "of the output", true},
                                         {"low", AttributeKind::kFloat, "the least; 0"},
                                         {"high", AttributeKind::kFloat, "beyond the largest; 1"},
                                         ops::kSeed};
constexpr OpExample kExamples[] = {{"From an empty range", R"(graph "random_uniform" {
  y = RandomUniform() {low = 5.0, high = 5.0, shape = [2]}
  output y
})",
                                    "float32[2] {5, 5}"}};

}  // namespace

extern const OpSpec kOp_random_uniform;
constinit const OpSpec kOp_random_uniform{
    .name = "RandomUniform",
    .domain = "",
    .since = 1,
    .doc = "Random numbers that are equally likely in [low, high). The same on every machine for the same seed (xoshiro256**).",
    .inputs = {},
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = ops::infer_random,
    .reference = ops::fill_uniform,
    .examples = kExamples};

}  // namespace moru::model
