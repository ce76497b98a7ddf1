// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "model/ops/support/indices.h"
#include "model/ops/support/movement.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"data", "any type, rank 1 or more"},
                                {"indices", "int64 [batch..., I..., k]: tuples of k indices of the axes behind the batch"}};
constexpr PortSpec kOutputs[] = {{"output", "[batch..., I..., data's axes behind those]"}};
constexpr AttributeSpec kAttributes[] = {{"batch_dims", AttributeKind::kInt, "how many axes in front are a batch, in both inputs; 0"}};
constexpr OpExample kExamples[] = {{"Elements by row and column", R"(graph "gather_nd" {
  init x = int32[2, 2] {1, 2, 3, 4}
  init indices = int64[2, 2] {0, 0, 1, -1}
  y = GatherND(x, indices)
  output y
})",
                                    "int32[2] {1, 4}"},
                                   {"A row of each matrix of a batch", R"(graph "batch" {
  init x = int32[2, 2, 2] {1, 2, 3, 4, 5, 6, 7, 8}
  init indices = int64[2, 1] {1, 0}
  y = GatherND(x, indices) {batch_dims = 1}
  output y
})",
                                    "int32[2, 2] {3, 4, 5, 6}"}};

Result<SymbolicShape> output_shape(const InferContext& context, const SymbolicShape& x, const SymbolicShape& indices,
                                   std::int64_t batch_dims) {
  const auto least = static_cast<std::int64_t>(std::min(x.size(), indices.size()));
  if (batch_dims < 0 || batch_dims >= std::max<std::int64_t>(least, 1)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("attribute 'batch_dims': found {}, expected 0 to {}, below both ranks", batch_dims, least - 1));
  }
  const auto batch = static_cast<std::size_t>(batch_dims);
  if (indices.empty() || x.empty()) return ops::input_error(context, 1, "found rank 0, expected 1 or more, as data");
  const auto k = static_cast<std::size_t>(indices.back().value);
  if (k < 1 || k > x.size() - batch) {
    return ops::input_error(context, 1, fmt::format("found tuples of {}, expected 1 to {} indices", k, x.size() - batch));
  }
  SymbolicShape y(indices.begin(), indices.end() - 1);
  for (std::size_t i = 0; i < batch; ++i) {
    MORU_RETURN_IF_ERROR(ops::expect_extent(context, 1, i, x[i], "the batch, as data"));
    y[i] = *ops::merge(x[i], indices[i]);
  }
  y.insert(y.end(), x.begin() + static_cast<std::ptrdiff_t>(batch + k), x.end());
  return y;
}

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_movable(context, 0));
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 1, {DType::kInt64}));
  MORU_ASSIGN_OR_RETURN(const std::int64_t batch_dims, int_attribute(context.node(), "batch_dims", 0));
  const SymbolicShape* x = ops::shape_of(context, 0);
  const SymbolicShape* indices = ops::shape_of(context, 1);
  context.set_output(0, {context.input(0).dtype, std::nullopt});
  if (x == nullptr || indices == nullptr || (!indices->empty() && !indices->back().known())) return {};
  MORU_ASSIGN_OR_RETURN(auto y, output_shape(context, *x, *indices, batch_dims));
  context.set_output(0, {context.input(0).dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  const Dims& dims = x.dims();
  const auto indices = context.input(1).data<std::int64_t>();
  MORU_ASSIGN_OR_RETURN(const std::int64_t batch_dims, int_attribute(context.node, "batch_dims", 0));
  const auto batch = static_cast<std::size_t>(batch_dims);
  const auto k = static_cast<std::size_t>(context.input(1).dims().back());
  const std::int64_t batches = ops::product_of(std::span(dims).first(batch));
  const std::int64_t inside = ops::product_of(std::span(dims).subspan(batch, k));
  const std::size_t tuples = indices.size() / k;
  const ops::ElementCopier copy(x, context.outputs[0], ops::product_of(std::span(dims).subspan(batch + k)));
  for (std::size_t tuple = 0; tuple < tuples; ++tuple) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < k; ++i) {
      MORU_ASSIGN_OR_RETURN(const std::int64_t index,
                            ops::checked_index(indices[tuple * k + i], dims[batch + i], "input 1 (indices)", tuple * k + i));
      offset = offset * dims[batch + i] + index;
    }
    const std::int64_t in_batch = static_cast<std::int64_t>(tuple) / (static_cast<std::int64_t>(tuples) / batches);
    copy(static_cast<std::int64_t>(tuple), in_batch * inside + offset);
  }
  return {};
}

}  // namespace

extern const OpSpec kOp_gather_nd;
const OpSpec kOp_gather_nd{
    .name = "GatherND",
    .domain = "",
    .since = 11,
    .doc =
        "Slices of a tensor, each by a tuple of indices. data [d0, ..., dn], indices [I..., k] -> output [I..., dk, ..., "
        "dn]: output[i...] = data[indices[i..., 0], ..., indices[i..., k - 1]].",
    .inputs = kInputs,
    .outputs = kOutputs,
    .attributes = kAttributes,
    .infer = infer,
    .reference = reference,
    .examples = kExamples};

}  // namespace moru::model
