// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "model/ops/support/convert.h"
#include "model/ops/support/random.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "[N, C]: logarithms of probabilities, up to a term a row"}};
constexpr PortSpec kOutputs[] = {{"output", "[N, sample_size]: the classes drawn"}};
constexpr AttributeSpec kAttributes[] = {{"dtype", AttributeKind::kInt, "ONNX's number of int32 or int64; int32"},
                                         {"sample_size", AttributeKind::kInt, "draws a row; 1"},
                                         ops::kSeed};
constexpr OpExample kExamples[] = {{"What is certain", R"(graph "multinomial" {
  init x = float32[1, 3] {-inf, 0, -inf}
  y = Multinomial(x) {sample_size = 4}
  output y
})",
                                    "int32[1, 4] {1, 1, 1, 1}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kFloats));
  MORU_RETURN_IF_ERROR(ops::expect_rank(context, 0, 2, "[N, C]"));
  MORU_ASSIGN_OR_RETURN(const DType dtype, ops::dtype_attribute(context.node(), "dtype", DType::kInt32));
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, int_attribute(context.node(), "sample_size", 1));
  if (dtype != DType::kInt32 && dtype != DType::kInt64)
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'dtype': found {}, expected int32 or int64", to_string(dtype)));
  if (count < 0) return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'sample_size': found {}, expected 0 or more", count));
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {dtype, SymbolicShape{x != nullptr ? (*x)[0] : Dim{}, Dim{count, {}}}});
  return {};
}

/// A class by a number in [0, 1): the first whose share of the sum, with those before it, lies above.
std::int64_t draw(std::span<const double> scores, double uniform) {
  const double largest = *std::ranges::max_element(scores);
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - largest);
  double rest = uniform * sum;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double share = std::exp(scores[i] - largest);
    if (share > 0) last = static_cast<std::int64_t>(i);
    if (rest < share) return last;
    rest -= share;
  }
  return last;
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(Rng rng, ops::make_rng(context.node));
  MORU_ASSIGN_OR_RETURN(const Tensor scores, ops::convert(context.input(0), DType::kFloat64));
  const auto classes = static_cast<std::size_t>(scores.dims()[1]);
  const Dims dims = context.outputs[0].dims();
  if (classes == 0 && context.outputs[0].count() > 0)
    return fail(ErrorCode::kInvalidArgument, "input 0 (input): found no classes, expected at least one to draw");
  std::vector<std::int64_t> drawn;
  for (std::int64_t row = 0; row < dims[0]; ++row) {
    const auto line = scores.data<double>().subspan(static_cast<std::size_t>(row) * classes, classes);
    for (std::int64_t i = 0; i < dims[1]; ++i) drawn.push_back(draw(line, rng.uniform()));
  }
  MORU_ASSIGN_OR_RETURN(context.outputs[0],
                        ops::convert(Tensor::of<std::int64_t>(dims, std::span<const std::int64_t>(drawn)), context.outputs[0].dtype()));
  return {};
}

}  // namespace

extern const OpSpec kOp_multinomial;
constinit const OpSpec kOp_multinomial{.name = "Multinomial",
                                       .domain = "",
                                       .since = 7,
                                       .doc =
                                           "Draws classes with given probabilities, with replacement: input [N, C] -> output [N, "
                                           "sample_size]. The same on every machine for the same seed (xoshiro256**).",
                                       .inputs = kInputs,
                                       .outputs = kOutputs,
                                       .attributes = kAttributes,
                                       .infer = infer,
                                       .reference = reference,
                                       .examples = kExamples};

}  // namespace moru::model
