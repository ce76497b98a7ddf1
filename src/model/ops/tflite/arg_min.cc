// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/types.h"
#include "model/ops/tflite/support/shapes.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape but a scalar"}, {"axis", "int32 or int64, one element"}};
constexpr PortSpec kOutputs[] = {{"output", "without the axis, int32 or int64 as output_type says"}};
constexpr AttributeSpec kAttributes[] = {{"output_type", AttributeKind::kString, "INT32 or INT64"}};
constexpr OpExample kExamples[] = {{"Of a row", R"(graph "arg_min" {
  init x = float32[1, 3] {2, 3, 1}
  init a = int32[] {1}
  y: int32[1] = tflite::ARG_MIN(x, a) {output_type = "INT32"}
  output y
})",
                                    "int32[1] {2}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(
      ops::expect_dtype(context, 0, {DType::kFloat32, DType::kInt8, DType::kUInt8, DType::kInt16, DType::kInt32, DType::kBool}));
  MORU_ASSIGN_OR_RETURN(const auto given, ops::constant_index(context, 1));
  MORU_ASSIGN_OR_RETURN(const std::string name, string_attribute(context.node(), "output_type", "INT32"));
  const DType dtype = name == "INT64" ? DType::kInt64 : DType::kInt32;
  const SymbolicShape* x = ops::shape_of(context, 0);
  context.set_output(0, {dtype, std::nullopt});
  if (x == nullptr || !given) return {};
  MORU_ASSIGN_OR_RETURN_IN(ops::input_label(context, 1), const std::size_t axis, ops::normalize_axis(*given, x->size()));
  if ((*x)[axis].value == 0) return ops::input_error(context, 0, "found an empty axis, expected elements");
  SymbolicShape y = *x;
  y.erase(y.begin() + static_cast<std::ptrdiff_t>(axis));
  context.set_output(0, {dtype, std::move(y)});
  return {};
}

Status reference(EvalContext& context) {
  const Tensor& x = context.input(0);
  MORU_ASSIGN_OR_RETURN(const std::size_t axis, ops::normalize_axis(ops::to_ints(context.input(1)).at(0), x.rank()));
  const std::int64_t inner = ops::product_of(std::span(x.dims()).subspan(axis + 1));
  const std::int64_t extent = x.dims()[axis];
  return ops::for_number_or_bool_dtype(x.dtype(), [&]<class T>() {
    return ops::for_dtype<std::int32_t, std::int64_t>(context.outputs[0].dtype(), [&]<class I>() -> Status {
      const auto data = x.data<T>();
      const auto y = context.outputs[0].mutable_data<I>();
      for (std::int64_t i = 0; i < std::ssize(y); ++i) {
        const std::int64_t start = i / inner * inner * extent + i % inner;
        std::int64_t best = 0;
        for (std::int64_t k = 1; k < extent; ++k) {
          if (data[static_cast<std::size_t>(start + k * inner)] < data[static_cast<std::size_t>(start + best * inner)]) best = k;
        }
        y[static_cast<std::size_t>(i)] = static_cast<I>(best);
      }
      return {};
    });
  });
}

}  // namespace

extern const OpSpec kOp_tflite_arg_min;
const OpSpec kOp_tflite_arg_min{.name = "ARG_MIN",
                                .domain = "tflite",
                                .since = 1,
                                .doc = "The index of the least element along one axis; of equal ones the first.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attributes = kAttributes,
                                .infer = infer,
                                .reference = reference,
                                .examples = kExamples};

}  // namespace moru::model
