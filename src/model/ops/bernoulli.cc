// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/convert.h"
#include "model/ops/support/random.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape: probabilities of 1"}};
constexpr PortSpec kOutputs[] = {{"output", "as input: 0 or 1"}};
constexpr AttributeSpec kAttributes[] = {{"dtype", AttributeKind::kInt, "ONNX's number of the element type; input's"}, ops::kSeed};
constexpr OpExample kExamples[] = {{"What is certain", R"(graph "bernoulli" {
  init p = float32[3] {0, 1, 1}
  y = Bernoulli(p) {dtype = 9}
  output y
})",
                                    "bool[3] {false, true, true}"}};
constexpr OpGap kGaps[] = {{"test_bernoulli*", ops::kRandomGap}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kFloats));
  std::optional<DType> dtype = context.input(0).dtype;
  if (context.node().attributes.contains("dtype")) {
    MORU_ASSIGN_OR_RETURN(dtype, ops::dtype_attribute(context.node(), "dtype", DType::kFloat32));
  }
  context.set_output(0, {dtype, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(Rng rng, ops::make_rng(context.node));
  MORU_ASSIGN_OR_RETURN(const Tensor chance, ops::convert(context.input(0), DType::kFloat64));
  std::vector<double> drawn;
  for (const double p : chance.data<double>()) drawn.push_back(rng.uniform() < p ? 1.0 : 0.0);
  MORU_ASSIGN_OR_RETURN(context.outputs[0],
                        ops::convert(Tensor::of<double>(chance.dims(), std::span<const double>(drawn)), context.outputs[0].dtype()));
  return {};
}

}  // namespace

extern const OpSpec kOp_bernoulli;
constinit const OpSpec kOp_bernoulli{.name = "Bernoulli",
                                     .domain = "",
                                     .since = 15,
                                     .doc =
                                         "Element by element, any shape: 1 with the probability that input says, else 0. The same on every "
                                         "machine for the same seed (xoshiro256**).",
                                     .inputs = kInputs,
                                     .outputs = kOutputs,
                                     .attributes = kAttributes,
                                     .infer = infer,
                                     .reference = reference,
                                     .examples = kExamples,
                                     .gaps = kGaps};

}  // namespace moru::model
