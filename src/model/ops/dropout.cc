// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <random>

#include "model/ops/support/convert.h"
#include "model/ops/support/elementwise.h"
#include "model/ops/support/rewrite.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any shape"},
                                {"ratio", "float scalar in [0, 1): the share that is dropped; 0.5", true},
                                {"training_mode", "bool scalar; false", true}};
constexpr PortSpec kOutputs[] = {{"output", "as data"}, {"mask", "bool, as data: what was kept", true}};
constexpr AttributeSpec kAttributes[] = {{"seed", AttributeKind::kInt, "of the random numbers; 0, so that runs repeat"}};
constexpr OpExample kExamples[] = {{"Nothing is dropped when a model is used", R"(graph "dropout" {
  init x = float32[3] {1, 2, 3}
  y, mask = Dropout(x)
  output y
  output mask
})",
                                    "float32[3] {1, 2, 3}\nbool[3] {true, true, true}"},
                                   {"In training the rest is scaled up", R"(graph "dropout" {
  init x = float32[4] {1, 2, 3, 4}
  init ratio = float32[] {0.6}
  init training = bool[] {true}
  y = Dropout(x, ratio, training)
  output y
})",
                                    "float32[4] {0, 5, 7.5, 0}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kFloats));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, ops::kFloats));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 2, ops::kBools));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 1, 0, "a scalar"));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 2, 0, "a scalar"));
  context.set_output(0, context.input(0));
  context.set_output(1, {DType::kBool, context.input(0).shape});
  return {};
}

Result<double> read_ratio(const EvalContext& context) {
  if (!context.has_input(1)) return 0.5;
  MORU_ASSIGN_OR_RETURN(const Tensor ratio, ops::convert(context.input(1), DType::kFloat64));
  const double value = ratio.data<double>()[0];
  if (value >= 0 && value < 1) return value;
  return fail(ErrorCode::kInvalidArgument, "input 1 (ratio): found a number outside [0, 1), expected one in it");
}

/// The random numbers are those of ONNX's own reference: NumPy's, the Mersenne twister of Matsumoto and Nishimura (1998) with 53
/// bits of two draws.
Status reference(EvalContext& context) {
  const bool training = context.has_input(2) && context.input(2).data<bool>()[0];
  MORU_ASSIGN_OR_RETURN(double ratio, read_ratio(context));
  if (!training) ratio = 0;
  MORU_ASSIGN_OR_RETURN(const std::int64_t seed, int_attribute(context.node, "seed", 0));
  std::mt19937 twister(static_cast<std::uint32_t>(seed));
  std::vector<bool> kept(static_cast<std::size_t>(context.input(0).count()), true);
  for (std::size_t i = 0; i < kept.size() && ratio > 0; ++i) {
    const double high = static_cast<double>(twister() >> 5U);
    const double low = static_cast<double>(twister() >> 6U);
    kept[i] = (high * 67108864.0 + low) / 9007199254740992.0 >= ratio;
  }
  if (context.outputs.size() > 1) std::ranges::copy(kept, context.outputs[1].mutable_data<bool>().begin());
  const double scale = 1 / (1 - ratio);
  std::size_t i = 0;
  return ops::map_floats(context, [&](double x) { return kept[i++] ? x * scale : 0.0; });
}

/// Before opset 12 the ratio was an attribute, before 10 the mask had the type of data, and before 7 training was the usual.
Status upgrade(NodeRewrite& rewrite) {
  if (rewrite.opset >= 12) return {};
  MORU_RETURN_IF_ERROR(ops::drop_consumed_inputs(rewrite));
  MORU_RETURN_IF_ERROR(ops::expect_inputs(rewrite, 1));
  const ValueId data = rewrite.node.inputs[0];
  rewrite.node.inputs.resize(1);
  MORU_RETURN_IF_ERROR(ops::attribute_to_input(rewrite, "ratio", 1));
  if (rewrite.opset < 10 && ops::has_output(rewrite.node, 1)) ops::run_after(rewrite, 1, "CastLike", {data});
  if (rewrite.opset >= 7) return {};
  MORU_ASSIGN_OR_RETURN(const std::int64_t is_test, int_attribute(rewrite.node, "is_test", 0));
  ops::drop_attribute(rewrite, "is_test");
  if (is_test != 0) return {};
  rewrite.node.inputs.resize(3, kNoValue);
  rewrite.node.inputs[2] = ops::add_constant(rewrite, "training_mode", Tensor::scalar(true));
  return {};
}

}  // namespace

extern const OpSpec kOp_dropout;
constinit const OpSpec kOp_dropout{
    .name = "Dropout",
    .domain = "",
    .since = 1,
    .doc =
        "Element by element, any shape: output = data; in training a random share of the elements becomes 0 and the others are "
        "divided by 1 - ratio, after Srivastava et al., \"Dropout\" (2014).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .gaps = {},
    .upgrade = upgrade};

}  // namespace moru::model
