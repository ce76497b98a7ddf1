// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/loops.h"
#include "model/ops/support/shape.h"
#include "model/ops/support/types.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"X", "numbers or bool, any shape"}};
constexpr PortSpec kOutputs[] = {{"Y", "int64 [rank of X, n]: column i is the index of the i-th element that is not 0"}};
constexpr OpExample kExamples[] = {{"Where a matrix is not 0", R"(graph "non_zero" {
  init x = bool[2, 2] {true, false, true, true}
  y = NonZero(x)
  output y
})",
                                    "int64[2, 3] {0, 1, 1, 0, 0, 1}"}};

Status infer(InferContext& context) {
  if (const auto dtype = context.input(0).dtype) {
    MORU_RETURN_IF_ERROR_IN(ops::input_label(context, 0), ops::for_number_or_bool_dtype(*dtype, []<class T>() -> Status { return {}; }));
  }
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {DType::kInt64, SymbolicShape{x == nullptr ? Dim{} : Dim{std::ssize(*x), {}}, Dim{}}});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  std::vector<std::int64_t> found;
  MORU_RETURN_IF_ERROR(ops::for_number_or_bool_dtype(x.dtype(), [&]<class T>() -> Status {
    const auto values = x.data<T>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (values[i] != T{}) found.push_back(static_cast<std::int64_t>(i));
    }
    return {};
  }));
  const auto count = std::ssize(found);
  MORU_ASSIGN_OR_RETURN(Tensor y, Tensor::create(DType::kInt64, {static_cast<std::int64_t>(x.rank()), count}));
  const auto strides = ops::strides_of(x.dims());
  std::int64_t* to = y.mutable_data<std::int64_t>().data();
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    for (const std::int64_t offset : found) *to++ = offset / strides[axis] % x.dims()[axis];
  }
  context.outputs[0] = std::move(y);
  return {};
}

}  // namespace

extern const OpSpec kOp_non_zero;
const OpSpec kOp_non_zero{.name = "NonZero",
                          .domain = "",
                          .since = 9,
                          .doc = "The indices of the elements that are not 0, in row-major order. X [d0, ..., dr] -> Y [r + 1, n].",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attributes = {},
                          .infer = infer,
                          .reference = reference,
                          .examples = kExamples};

}  // namespace moru::model
