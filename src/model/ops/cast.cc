// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "core/text.h"
#include "model/ops/support/convert.h"
#include "model/ops/support/elementwise.h"
#include "model/ops/support/onnx_dtype.h"

namespace moru::model {
namespace {

constexpr PortSpec kInputs[] = {{"input", "any shape; numbers, bool or string"}};
constexpr PortSpec kOutputs[] = {{"output", "as input, of the other type"}};
constexpr AttributeSpec kAttributes[] = {
    {"to", AttributeKind::kInt, "ONNX's number of the element type", true},
    {"saturate", AttributeKind::kInt, "0: what floats of 8 bits cannot hold becomes infinity or NaN, not their largest; 1"},
};
constexpr OpExample kExamples[] = {{"Floats become integers", R"(graph "cast" {
  init x = float32[4] {-1.7, 2.5, 300, nan}
  y = Cast(x) {to = 3}
  output y
})",
                                    "int8[4] {-1, 2, 127, 0}"},
                                   {"Integers wrap around", R"(graph "cast" {
  init x = int32[2] {-1, 300}
  y = Cast(x) {to = 2}
  output y
})",
                                    "uint8[2] {255, 44}"}};

constexpr OpGap kGaps[] = {{"test_cast_BFLOAT16_to_FLOAT", "the test's data are uint16 where its model says bfloat16"},
                           {"test_cast_FLOAT_to_BFLOAT16", "the test's data are uint16 where its model says bfloat16"}};

bool is_castable(DType dtype) { return dtype != DType::kComplex64 && dtype != DType::kComplex128; }

Status infer(InferContext& context) {
  MORU_ASSIGN_OR_RETURN(const DType to, ops::dtype_attribute(context.node(), "to", DType::kFloat32));
  if (!is_castable(to) || !is_castable(context.input(0).dtype.value_or(to)))
    return fail(ErrorCode::kUnsupported, "found complex numbers, expected other ones, bool or string");
  context.set_output(0, {to, context.input(0).shape});
  return {};
}

Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const DType to, ops::dtype_attribute(context.node, "to", DType::kFloat32));
  MORU_ASSIGN_OR_RETURN(const std::int64_t saturate, int_attribute(context.node, "saturate", 1));
  MORU_ASSIGN_OR_RETURN(context.outputs[0], ops::convert(context.input(0), to, saturate != 0));
  return {};
}

/// Before opset 6 the type had its name in ONNX's schema: "FLOAT".
Status upgrade(NodeRewrite& rewrite) {
  const auto it = rewrite.node.attributes.find("to");
  if (rewrite.opset >= 6 || it == rewrite.node.attributes.end()) return {};
  const auto* word = std::get_if<std::string>(&it->second);
  constexpr std::string_view kNames[] = {"FLOAT",  "UINT8", "INT8",    "UINT16", "INT16",  "INT32", "INT64",
                                         "STRING", "BOOL",  "FLOAT16", "DOUBLE", "UINT32", "UINT64"};
  const auto* const found = word != nullptr ? std::ranges::find(kNames, *word) : std::end(kNames);
  if (found == std::end(kNames)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("attribute 'to': found {}, expected the name of an element type",
                                                         word != nullptr ? in_quotes(*word) : "no name"));
  }
  it->second = std::int64_t{found - kNames + 1};
  return {};
}

Status downgrade(NodeRewrite& rewrite) {
  if (rewrite.opset < 19) ops::drop_attribute(rewrite, "saturate");  // it came with the types that it is about
  return {};
}

}  // namespace

extern const OpSpec kOp_cast;
constinit const OpSpec kOp_cast{.name = "Cast",
                                .domain = "",
                                .since = 1,
                                .doc =
                                    "Element by element, any shape: output = input as another type. Floats are rounded to nearest; to "
                                    "integers they are cut towards 0, what does not fit becomes the nearest that does and NaN becomes 0. "
                                    "Integers wrap around; anything but 0 is true.",
                                .inputs = kInputs,
                                .outputs = kOutputs,
                                .attributes = kAttributes,
                                .infer = infer,
                                .reference = reference,
                                .examples = kExamples,
                                .gaps = kGaps,
                                .upgrade = upgrade,
                                .downgrade = downgrade};

}  // namespace moru::model
