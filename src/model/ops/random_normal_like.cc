// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/random.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape; its values are not used"}};
constexpr PortSpec kOutputs[] = {{"output", "of input's shape"}};
constexpr AttributeSpec kAttributes[] = {{"dtype", AttributeKind::kInt, "ONNX's number of the element type; input's"},
                                         {"mean", AttributeKind::kFloat, "the mean; 0"},
                                         {"scale", AttributeKind::kFloat, "the standard deviation; 1"},
                                         ops::kSeed};
constexpr OpExample kExamples[] = {{"Without deviation", R"(graph "random_normal_like" {
  init x = float32[2] {1, 2}
  y = RandomNormalLike(x) {mean = 5.0, scale = 0.0}
  output y
})",
                                    "float32[2] {5, 5}"}};

}  // namespace

extern const OpSpec kOp_random_normal_like;
constinit const OpSpec kOp_random_normal_like{
    .name = "RandomNormalLike",
    .domain = "",
    .since = 1,
    .doc = "Random numbers of the normal distribution, as many as input has. The same on every machine for the same seed (xoshiro256**).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = ops::infer_random_like,
    .reference = ops::fill_normal,
    .examples = kExamples};

}  // namespace moru::model
