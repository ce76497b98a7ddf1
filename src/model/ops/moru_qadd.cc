// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/loops.h"
#include "model/ops/support/quantized.h"
#include "model/ops/support/shape.h"

namespace moru::model {
namespace {

enum Input : std::size_t { kA, kAZero, kAFactor, kB, kBZero, kBFactor, kYZero };
constexpr PortSpec kInputs[] = {{"a", "int8 or uint8, any shape"},
                                {"a_zero", "of a's type, a scalar"},
                                {"a_factor", "float32, a scalar: a's scale / y's scale"},
                                {"b", "int8 or uint8, stretches"},
                                {"b_zero", "of b's type, a scalar"},
                                {"b_factor", "float32, a scalar: b's scale / y's scale; of the other sign to subtract"},
                                {"y_zero", "int8 or uint8, a scalar; its type is the output's"}};
constexpr PortSpec kOutputs[] = {{"y", "the shape that a and b stretch to, as y_zero"}};
constexpr AttributeSpec kAttributes[] = {ops::kHighLevel, ops::kLowLevel};
constexpr OpExample kExamples[] = {{"Levels of different scales", R"(graph "qadd" {
  init a = uint8[3] {10, 11, 255}
  init a_zero = uint8[] {10}
  init a_factor = float32[] {0.5}
  init b = uint8[1] {3}
  init b_zero = uint8[] {1}
  init b_factor = float32[] {1}
  init y_zero = uint8[] {100}
  y = moru::QAdd(a, a_zero, a_factor, b, b_zero, b_factor, y_zero)
  output y
})",
                                    "uint8[3] {102, 102, 224}"}};

Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_levels(context, kA, kAZero));
  MORU_RETURN_IF_ERROR(ops::expect_levels(context, kB, kBZero));
  MORU_RETURN_IF_ERROR(ops::expect_factor(context, kAFactor));
  MORU_RETURN_IF_ERROR(ops::expect_factor(context, kBFactor));
  const SymbolicShape* a = ops::shape_of(context, kA);
  const SymbolicShape* b = ops::shape_of(context, kB);
  if (a == nullptr || b == nullptr) return ops::set_levels_output(context, kYZero, std::nullopt);
  MORU_ASSIGN_OR_RETURN(SymbolicShape shape, ops::broadcast(*a, *b));
  return ops::set_levels_output(context, kYZero, std::move(shape));
}

Status reference(EvalContext& context) {
  Tensor& y = context.outputs[0];
  if (y.count() == 0) return {};
  MORU_ASSIGN_OR_RETURN(const ops::Levels levels, ops::levels_of(context, kYZero));
  MORU_ASSIGN_OR_RETURN(const Tensor a, ops::without_zero_point(context.input(kA), &context.input(kAZero), {}));
  MORU_ASSIGN_OR_RETURN(const Tensor b, ops::without_zero_point(context.input(kB), &context.input(kBZero), {}));
  const float a_factor = context.input(kAFactor).data<float>()[0];
  const float b_factor = context.input(kBFactor).data<float>()[0];
  MORU_ASSIGN_OR_RETURN(Tensor wide, Tensor::create(DType::kInt32, y.dims()));
  ops::for_each_broadcast<std::int32_t>(a, b, wide, [&](std::int32_t left, std::int32_t right) {
    return std::int32_t{levels.nearest<std::int16_t>(static_cast<float>(left) * a_factor + static_cast<float>(right) * b_factor)};
  });
  return ops::for_dtype<std::int8_t, std::uint8_t>(y.dtype(), [&]<class T>() -> Status {
    std::ranges::transform(wide.data<std::int32_t>(), y.mutable_data<T>().begin(),
                           [](std::int32_t level) { return static_cast<T>(level); });
    return {};
  });
}

}  // namespace

extern const OpSpec kOp_moru_qadd;
const OpSpec kOp_moru_qadd{.name = "QAdd",
                           .domain = "moru",
                           .since = 1,
                           .doc =
                               "Add (and Sub) on levels, any shapes that stretch: y = clamp(round(float32(float32((a - a_zero) * a_factor) "
                               "+ float32((b - b_zero) * "
                               "b_factor))) + y_zero, low, high), halves to even.",
                           .inputs = kInputs,
                           .outputs = kOutputs,
                           .attributes = kAttributes,
                           .infer = infer,
                           .reference = reference,
                           .examples = kExamples};

}  // namespace moru::model
