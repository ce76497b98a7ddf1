// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/random.h"

namespace moru::model {
namespace {

constexpr PortSpec kOutputs[] = {{"output", "of the given shape"}};
constexpr AttributeSpec kAttributes[] = {{"dtype", AttributeKind::kInt, "ONNX's number of the element type; float32"},
                                         {"shape", AttributeKind::kInts, "of the output", true},
                                         {"mean", AttributeKind::kFloat, "the mean; 0"},
                                         {"scale", AttributeKind::kFloat, "the standard deviation; 1"},
                                         ops::kSeed};
constexpr OpExample kExamples[] = {{"Without deviation", R"(graph "random_normal" {
  y = RandomNormal() {mean = 5.0, scale = 0.0, shape = [2]}
  output y
})",
                                    "float32[2] {5, 5}"}};

}  // namespace

extern const OpSpec kOp_random_normal;
constinit const OpSpec kOp_random_normal{
    .name = "RandomNormal",
    .domain = "",
    .since = 1,
    .doc = "Random numbers of the normal distribution. The same on every machine for the same seed (xoshiro256**).",
    .inputs = {},
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = ops::infer_random,
    .reference = ops::fill_normal,
    .examples = kExamples};

}  // namespace moru::model
