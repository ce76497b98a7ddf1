// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "model/ops/support/loops.h"
#include "model/ops/support/real.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "any shape that has the axes"}};
constexpr PortSpec kOutputs[] = {{"Y", "as X"}};
constexpr AttributeSpec kAttributes[] = {{"axes", AttributeKind::kInts, "the axes that are normalised together; [0, 2, 3]"}};
constexpr OpExample kExamples[] = {{"Columns with mean 0 and variance 1", R"(graph "mvn" {
  init x = float32[2, 2] {1, 10, 3, 20}
  y = MeanVarianceNormalization(x) {axes = [0]}
  output y
})",
                                    "float32[2, 2] {-1, -1, 1, 1}"}};
// ONNX adds it to the deviation, so that constant data give zeros.
constexpr double kEpsilon = 1e-9;

Result<std::vector<bool>> reduced_axes(const Node& node, std::size_t rank) {
  MORU_ASSIGN_OR_RETURN(const auto axes, ints_attribute(node, "axes", {0, 2, 3}));
  std::vector<bool> reduced(rank, false);
  for (const std::int64_t axis : axes) {
    MORU_ASSIGN_OR_RETURN(const std::size_t at, ops::normalize_axis(axis, rank));
    reduced[at] = true;
  }
  return reduced;
}

Status infer(InferContext& context) {
  if (const SymbolicShape* x = ops::shape_of(context, 0)) MORU_RETURN_IF_ERROR(reduced_axes(context.node(), x->size()));
  return ops::infer_like_input(context, ops::kReals);
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const Tensor x, ops::to_float64(context.input(0)));
  if (x.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const auto reduced, reduced_axes(context.node, x.rank()));
  // Element i belongs to the group of its index on the axes that are left.
  Dims kept = x.dims();
  for (std::size_t axis = 0; axis < kept.size(); ++axis) kept[axis] = reduced[axis] ? 1 : kept[axis];
  const auto strides = ops::broadcast_strides(kept, x.dims());
  const auto groups = static_cast<std::size_t>(ops::product_of(kept));
  const double count = static_cast<double>(x.count()) / static_cast<double>(groups);
  std::vector<std::size_t> group_of;
  std::vector<std::int64_t> index(x.rank(), 0);
  for (std::int64_t i = 0; i < x.count(); ++i) {
    std::int64_t group = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) group += index[axis] * strides[axis];
    group_of.push_back(static_cast<std::size_t>(group));
    (void)ops::next_index(index, x.dims());
  }
  const auto values = x.data<double>();
  std::vector<double> mean(groups, 0.0);
  std::vector<double> variance(groups, 0.0);
  for (std::size_t i = 0; i < values.size(); ++i) mean[group_of[i]] += values[i] / count;
  for (std::size_t i = 0; i < values.size(); ++i)
    variance[group_of[i]] += (values[i] - mean[group_of[i]]) * (values[i] - mean[group_of[i]]) / count;
  return ops::for_float_dtype(context.outputs[0].dtype(), [&]<class T>() -> Status {
    const auto y = context.outputs[0].mutable_data<T>();
    for (std::size_t i = 0; i < values.size(); ++i)
      y[i] = ops::rounded<T>((values[i] - mean[group_of[i]]) / (std::sqrt(variance[group_of[i]]) + kEpsilon));
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_mean_variance_normalization;
const OpSpec kOp_mean_variance_normalization{
    .name = "MeanVarianceNormalization",
    .domain = "",
    .since = 9,
    .doc = "Mean 0 and variance 1 over the axes given. X of any shape -> Y: Y = (X - mean) / (sqrt(variance) + 1e-9).",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
