// SPDX-License-Identifier: Apache-2.0
// Every op is documented, and its examples are true.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/text.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

void check_documentation(const OpSpec& spec) {
  EXPECT_GT(spec.doc.size(), 20U);
  EXPECT_FALSE(spec.examples.empty());
  EXPECT_GE(spec.since, 1);
  for (const PortSpec& port : spec.inputs) EXPECT_FALSE(port.name.empty() || port.doc.empty());
  for (const PortSpec& port : spec.outputs) EXPECT_FALSE(port.name.empty() || port.doc.empty());
  for (const AttributeSpec& attribute : spec.attributes) EXPECT_FALSE(attribute.doc.empty()) << attribute.name;
}

/// A value computed by evaluate() has the type that infer_shapes() foretold.
void check_type(void* user, ValueId id, const Tensor& tensor) {
  const Value& value = static_cast<const Graph*>(user)->value(id);
  EXPECT_EQ(value.type.dtype, tensor.dtype());
  ASSERT_TRUE(value.type.shape.has_value());
  ASSERT_EQ(value.type.shape->size(), tensor.rank());
  for (std::size_t axis = 0; axis < tensor.rank(); ++axis) {
    // An extent that the data decide (NonZero) is not foretold.
    const Dim& dim = (*value.type.shape)[axis];
    EXPECT_TRUE(!dim.known() || dim.value == tensor.dims()[axis]) << to_string(*value.type.shape) << " " << to_string(tensor.dims());
  }
}

void expect_same(const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(actual.dtype(), expected.dtype());
  ASSERT_EQ(actual.dims(), expected.dims());
  if (actual.dtype() != DType::kFloat32) {
    EXPECT_EQ(to_text(actual), to_text(expected));
    return;
  }
  // exp() differs between C libraries by an ulp of double; after rounding to float that is one step of float.
  for (std::size_t i = 0; i < actual.data<float>().size(); ++i) EXPECT_FLOAT_EQ(actual.data<float>()[i], expected.data<float>()[i]) << i;
}

void run_example(const OpSpec& spec, const OpExample& example) {
  auto graph = parse_text(example.graph);
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_TRUE(std::ranges::any_of(graph->nodes(), [&](const Node& node) { return node.op == spec.name && node.domain == spec.domain; }));
  const Status inferred = infer_shapes(*graph);
  ASSERT_TRUE(inferred.has_value()) << inferred.error().message;
  if (spec.reference == nullptr) {
    EXPECT_TRUE(example.expected.empty()) << "nothing here could say whether it is right";
    return;
  }
  const auto outputs = evaluate(*graph, {}, check_type, &*graph);
  ASSERT_TRUE(outputs.has_value()) << outputs.error().message;
  const auto lines = split(trim(example.expected), '\n');
  ASSERT_EQ(outputs->size(), lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto expected = parse_tensor_text(lines[i]);
    ASSERT_TRUE(expected.has_value()) << expected.error().message;
    expect_same((*outputs)[i], *expected);
  }
}

TEST(Ops, EachIsDocumentedAndItsExamplesAreTrue) {
  ASSERT_FALSE(all_ops().empty());
  for (const OpSpec* spec : all_ops()) {
    SCOPED_TRACE(spec->name);
    check_documentation(*spec);
    for (const OpExample& example : spec->examples) {
      SCOPED_TRACE(example.title);
      run_example(*spec, example);
    }
  }
}

TEST(OpTable, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const OpSpec* spec : all_ops()) {
    EXPECT_TRUE(names.insert(spec->name).second) << spec->name;
    EXPECT_EQ(find_op(spec->name, spec->domain), spec);
  }
  EXPECT_EQ(find_op("NoSuchOp"), nullptr);
  EXPECT_EQ(find_op("Conv", "other.domain"), nullptr);
}

}  // namespace
}  // namespace moru::model
