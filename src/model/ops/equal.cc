// SPDX-License-Identifier: Apache-2.0
#include "model/ops/support/elementwise.h"

namespace moru::model {
namespace {

constexpr OpExample kExamples[] = {{"Against one number", R"(graph "equal" {
  init a = float32[3] {1, 2, 3}
  init b = float32[] {2}
  y = Equal(a, b)
  output y
})",
                                    "bool[3] {false, true, false}"}};

constexpr std::initializer_list<DType> kTypes = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16, DType::kInt8,
                                                 DType::kUInt8,   DType::kInt16,   DType::kUInt16,  DType::kInt32,    DType::kUInt32,
                                                 DType::kInt64,   DType::kUInt64,  DType::kBool,    DType::kString};

Status reference(EvalContext& context) {
  if (context.input(0).dtype() == DType::kString) {
    const auto a = context.input(0).strings();
    const auto b = context.input(1).strings();
    const auto c = context.outputs[0].mutable_data<bool>();
    ops::walk_broadcast<2>({context.input(0).dims(), context.input(1).dims()}, context.outputs[0].dims(),
                           [&](std::size_t i, const auto& at) { c[i] = a[at[0]] == b[at[1]]; });
    return {};
  }
  return ops::compare(context, [](auto a, auto b) { return a == b; });
}

}  // namespace

extern const OpSpec kOp_equal;
constinit const OpSpec kOp_equal = ops::binary_op({.name = "Equal",
                                                   .doc = "Element by element, where the shapes stretch to each other (NumPy's rule): C = "
                                                          "whether A == B. With NaN it is false; strings are equal byte by byte.",
                                                   .infer = ops::infer_comparison<kTypes>,
                                                   .reference = reference,
                                                   .examples = kExamples});

}  // namespace moru::model
