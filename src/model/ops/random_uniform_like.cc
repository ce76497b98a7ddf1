// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/random.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape; its values are not used"}};
constexpr PortSpec kOutputs[] = {{"output", "of input's shape"}};
constexpr AttributeSpec kAttributes[] = {{"dtype", AttributeKind::kInt, "ONNX's number of the element type; input's"},
                                         {"low", AttributeKind::kFloat, "the least; 0"},
                                         {"high", AttributeKind::kFloat, "beyond the largest; 1"},
                                         ops::kSeed};
constexpr OpExample kExamples[] = {{"From an empty range", R"(graph "random_uniform_like" {
  init x = float32[2] {1, 2}
  y = RandomUniformLike(x) {low = 5.0, high = 5.0}
  output y
})",
                                    "float32[2] {5, 5}"}};

}  // namespace

extern const OpSpec kOp_random_uniform_like;
constinit const OpSpec kOp_random_uniform_like{.name = "RandomUniformLike",
                                               .domain = "",
                                               .since = 1,
                                               .doc =
                                                   "Random numbers that are equally likely in [low, high), as many as input has. The same "
                                                   "on every machine for the same seed (xoshiro256**).",
                                               .inputs = kInputs,
                                               .outputs = kOutputs,
                                               .attributes = kAttributes,
                                               .infer = ops::infer_random_like,
                                               .reference = ops::fill_uniform,
                                               .examples = kExamples};

}  // namespace moru::model
