// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/rewrite.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "[N, C, ...]"}, {"scale", "[C]"}, {"B", "[C]"}, {"input_mean", "[C]"}, {"input_var", "[C]"}};
constexpr PortSpec kOutputs[] = {{"Y", "[N, C, ...]"},
                                 {"running_mean", "[C], in training: input_mean * momentum + mean of X * (1 - momentum)", true},
                                 {"running_var", "[C], in training: input_var * momentum + variance of X * (1 - momentum)", true}};
constexpr AttributeSpec kAttributes[] = {
    {"epsilon", AttributeKind::kFloat, "added to the variance; 1e-5"},
    {"momentum", AttributeKind::kFloat, "in training, what is kept of the old statistics; 0.9"},
    {"training_mode", AttributeKind::kInt, "1: the statistics of X itself, over all axes but C; 0"},
};
constexpr OpExample kExamples[] = {{"Each channel by its own mean and variance", R"(graph "batch_norm" {
  init x = float32[1, 2, 1, 2] {1, 2, 3, 4}
  init scale = float32[2] {1, 2}
  init b = float32[2] {0, 0.5}
  init mean = float32[2] {1, 3}
  init var = float32[2] {1, 4}
  y = BatchNormalization(x, scale, b, mean, var) {epsilon = 0.0}
  output y
})",
                                    "float32[1, 2, 1, 2] {0, 1, 0.5, 1.5}"},
                                   {"Training: the batch's own statistics", R"(graph "training" {
  init x = float32[2, 1] {1, 5}
  init scale = float32[1] {1}
  init b = float32[1] {0}
  init mean = float32[1] {1}
  init var = float32[1] {2}
  y, m, v = BatchNormalization(x, scale, b, mean, var) {epsilon = 0.0, momentum = 0.5, training_mode = 1}
  output y
  output m
  output v
})",
                                    "float32[2, 1] {-1, 1}\nfloat32[1] {2}\nfloat32[1] {3}"}};

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const std::int64_t training, int_attribute(context.node(), "training_mode", 0));
  if (training == 0 && context.node().outputs.size() > 1)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("found {} outputs, expected 1 without training_mode", context.node().outputs.size()));
  for (std::size_t i = 0; i < 5; ++i) MORU_RETURN_IF_ERROR(ops::expect_dtype(context, i, ops::kReals));
  const SymbolicShape* x = ops::shape_of(context, 0);
  if (x != nullptr && x->size() < 2)
    return ops::input_error(context, 0, fmt::format("found shape {}, expected [N, C, ...]", to_string(*x)));
  for (std::size_t i = 1; i < 5; ++i) {
    MORU_RETURN_IF_ERROR(ops::expect_rank(context, i, 1, "[C]"));
    if (x != nullptr) MORU_RETURN_IF_ERROR(ops::expect_extent(context, i, 0, (*x)[1], "an entry a channel"));
  }
  context.set_output(0, {context.input(0).dtype, context.input(0).shape});
  for (std::size_t i = 1; i < 3; ++i) context.set_output(i, context.input(3));
  return {};
}

struct Statistics {
  std::vector<double> mean;
  std::vector<double> variance;
};

/// Of each channel over all other axes; the variance is the mean square distance.
Statistics statistics_of(std::span<const double> x, std::size_t channels, std::size_t plane) {
  Statistics of{std::vector<double>(channels), std::vector<double>(channels)};
  const double count = static_cast<double>(x.size()) / static_cast<double>(channels);
  for (std::size_t i = 0; i < x.size(); ++i) of.mean[i / plane % channels] += x[i] / count;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double distance = x[i] - of.mean[i / plane % channels];
    of.variance[i / plane % channels] += distance * distance / count;
  }
  return of;
}

/// old * momentum + now * (1 - momentum)
Status mix(const Tensor& old, std::span<const double> now, double momentum, Tensor& out) {
  MORU_ASSIGN_OR_RETURN(const Tensor before, ops::to_float64(old));
  std::vector<double> mixed;
  for (std::size_t c = 0; c < now.size(); ++c) mixed.push_back(before.data<double>()[c] * momentum + now[c] * (1.0 - momentum));
  return ops::round_into(mixed, out);
}

Status reference(EvalContext& context) {
  const Dims& dims = context.input(0).dims();
  MORU_ASSIGN_OR_RETURN(const float epsilon, float_attribute(context.node, "epsilon", 1e-5F));
  MORU_ASSIGN_OR_RETURN(const float momentum, float_attribute(context.node, "momentum", 0.9F));
  MORU_ASSIGN_OR_RETURN(const std::int64_t training, int_attribute(context.node, "training_mode", 0));
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < 5; ++i) {
    MORU_ASSIGN_OR_RETURN(Tensor input, ops::to_float64(context.input(i)));
    inputs.push_back(std::move(input));
  }
  const auto x = inputs[0].data<double>();
  if (x.empty()) return {};
  const auto channels = static_cast<std::size_t>(dims[1]);
  const auto plane = static_cast<std::size_t>(ops::product_of(std::span(dims).subspan(2)));
  std::span<const double> mean = inputs[3].data<double>();
  std::span<const double> variance = inputs[4].data<double>();
  Statistics own;
  if (training != 0) {
    own = statistics_of(x, channels, plane);
    mean = own.mean;
    variance = own.variance;
    if (context.outputs.size() > 1) MORU_RETURN_IF_ERROR(mix(context.input(3), mean, static_cast<double>(momentum), context.outputs[1]));
    if (context.outputs.size() > 2)
      MORU_RETURN_IF_ERROR(mix(context.input(4), variance, static_cast<double>(momentum), context.outputs[2]));
  }
  std::vector<double> factor;
  std::vector<double> shift;
  for (std::size_t c = 0; c < channels; ++c) {
    factor.push_back(inputs[1].data<double>()[c] / std::sqrt(variance[c] + static_cast<double>(epsilon)));
    shift.push_back(inputs[2].data<double>()[c] - mean[c] * factor[c]);
  }
  return ops::for_float_dtype(context.outputs[0].dtype(), [&]<class T>() -> Status {
    const auto y = context.outputs[0].mutable_data<T>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::size_t c = i / plane % channels;
      y[i] = ops::rounded<T>(x[i] * factor[c] + shift[c]);
    }
    return {};
  });
}

/// Before opset 14 more than one output meant training; before 9 there were statistics of each place, and before 7 a flag.
Status upgrade(NodeRewrite& rewrite) {
  Node& node = rewrite.node;
  if (rewrite.opset >= 14) return {};
  MORU_ASSIGN_OR_RETURN(const std::int64_t spatial, int_attribute(node, "spatial", 1));
  if (spatial == 0) return fail(ErrorCode::kUnsupported, "attribute 'spatial': found 0, expected 1 (statistics of a channel)");
  for (const char* name : {"consumed_inputs", "is_test", "spatial"}) ops::drop_attribute(rewrite, name);
  while (!node.outputs.empty() && node.outputs.back() == kNoValue) node.outputs.pop_back();
  if (node.outputs.size() > 3)
    return fail(ErrorCode::kUnsupported, fmt::format("found {} outputs, expected no saved statistics", node.outputs.size()));
  if (node.outputs.size() > 1) node.attributes.insert_or_assign("training_mode", std::int64_t{1});
  return {};
}

Status downgrade(NodeRewrite& rewrite) { return rewrite.opset < 14 ? ops::drop_int(rewrite, "training_mode", 0) : Status(); }

}  // namespace

extern const OpSpec kOp_batch_normalization;
const OpSpec kOp_batch_normalization{
    .name = "BatchNormalization",
    .domain = "",
    .since = 1,
    .doc =
        "Normalises each channel by stored statistics, in training by X's own. X [N, C, ...] -> Y [N, C, ...]: "
        "Y = scale * (X - mean) / sqrt(var + epsilon) + B.",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples,
    .upgrade = upgrade,
    .downgrade = downgrade};

}  // namespace moru::model
