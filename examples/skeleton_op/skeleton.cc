// SPDX-License-Identifier: Apache-2.0
// The smallest complete op: y = max(x, x * slope). Copy it to src/model/ops/<name>.cc, and put your op's name for "skeleton".
// The name of the file is the op's in snake_case (batch_normalization.cc): the build makes the table of ops from it, and
// there is no list to edit.
#include <algorithm>

#include "model/ops/op.h"
#include "model/ops/support/shape.h"  // checks with good messages; see also support/loops.h for walks over tensors

namespace moru::model {
namespace {  // all but the spec itself is private to this file

// The schema. verify() refuses a node that has other inputs, outputs or attributes, so that nothing below meets one.
constexpr PortSpec kInputs[] = {{"x", "float32, any shape"}};
constexpr PortSpec kOutputs[] = {{"y", "as x"}};
constexpr AttributeSpec kAttributes[] = {{"slope", AttributeKind::kFloat, "factor of negative numbers; 0.1"}};

// Examples are documentation and tests at once: `moru ops NAME` prints them, examples_test.cc runs them. The graph has no inputs; its
// data are initializers.
constexpr OpExample kExamples[] = {{"Negative numbers shrink", R"(graph "skeleton" {
  init x = float32[3] {-10, 0, 10}
  y = moru.examples::Skeleton(x) {slope = 0.5}
  output y
})",
                                    "float32[3] {-5, 0, 10}"}};

// Checks what the schema cannot say, and tells the output's type from the inputs'. On a graph, a type may be unknown:
// expect_dtype() lets that pass. Just before reference() it is called again with everything known.
Status infer(InferContext& context) {
  MORU_RETURN_IF_ERROR(ops::expect_dtype(context, 0, ops::kFloatOnly));
  context.set_output(0, context.input(0));
  return {};
}

// The oracle that every engine is compared with: plain, and exact rather than fast. infer() has accepted the inputs, and the
// output is there, in its shape.
Status reference(EvalContext& context) {
  MORU_ASSIGN_OR_RETURN(const float slope, float_attribute(context.node, "slope", 0.1F));
  std::ranges::transform(context.input(0).data<float>(), context.outputs[0].mutable_data<float>().begin(),
                         [slope](float x) { return std::max(x, x * slope); });
  return {};
}

}  // namespace

// `const` alone would make the spec private to this file; the declaration with `extern` before it makes it public, and a
// misspelt name is an error of the linker.
extern const OpSpec kOp_skeleton;
const OpSpec kOp_skeleton{.name = "Skeleton",
                          .domain = "moru.examples",  // "" for an op of ONNX itself
                          .since = 1,                 // the first opset in which the op means this
                          .doc = "Element by element, any shape: y = max(x, x * slope).",
                          .inputs = kInputs,
                          .outputs = kOutputs,
                          .attributes = kAttributes,
                          .infer = infer,
                          .reference = reference,
                          .examples = kExamples};

}  // namespace moru::model
