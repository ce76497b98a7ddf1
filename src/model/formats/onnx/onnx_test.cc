// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>

#include "model/formats/onnx/convert.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

/// Parses, verifies and infers, as a reader does.
Graph graph_of(std::string_view text) {
  auto graph = parse_text(text);
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
  if (!graph) return {};
  const Status inferred = infer_shapes(*graph);
  EXPECT_TRUE(inferred.has_value()) << (inferred ? "" : inferred.error().message);
  return std::move(*graph);
}

void expect_round_trip(const Graph& graph) {
  const auto bytes = write_onnx(graph);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  const auto read = read_onnx(*bytes, "test.onnx");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(to_text(*read), to_text(graph));
  const auto again = write_onnx(*read);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(*again, *bytes);
}

constexpr std::string_view kConvNet = R"(graph "conv net" {
  opset 13
  meta "producer" = "a test"
  meta "note" = "two\nlines"
  input x: float32[N, 1, 4, 4]
  init w = float32[2, 1, 1, 1] {0.5, -1}
  init shape = int64[2] {0, -1}
  y: float32[N, 2, 4, 4] = Conv(x, w, _) {kernel_shape = [1, 1], strides = [1, 1]} as conv1
  z: float32[N, 2, 4, 4] = Relu(y)
  f = Reshape(z, shape) as flat
  output f
  output z
})";

TEST(Onnx, RoundTripsAGraph) { expect_round_trip(graph_of(kConvNet)); }

TEST(Onnx, RoundTripsEveryElementType) {
  expect_round_trip(graph_of(R"(graph "types" {
  opset 13
  input x: float32[2]
  init a = float32[2] {inf, -0.0}
  init b = float64[2] {1e-300, nan}
  init c = int8[2] {-128, 127}
  init d = uint8[2] {0, 255}
  init e = int16[2] {-32768, 32767}
  init f = uint16[2] {0, 65535}
  init g = int32[2] {-2147483648, 2147483647}
  init h = uint32[2] {0, 4294967295}
  init i = int64[2] {-9223372036854775808, 9223372036854775807}
  init j = uint64[2] {0, 18446744073709551615}
  init k = bool[2] {true, false}
  init l = float32[0, 3] {}
  init m = float32[] {7.5}
  y = Relu(x)
  output y
  output a
  output b
  output c
  output d
  output e
  output f
  output g
  output h
  output i
  output j
  output k
  output l
  output m
})"));
}

TEST(Onnx, RoundTripsTheExamplesOfEveryOp) {
  for (const OpSpec* op : all_ops()) {
    if (op->domain == "tflite") continue;  // TFLite's files hold those
    for (const OpExample& example : op->examples) {
      SCOPED_TRACE(std::string(op->name) + ": " + std::string(example.title));
      Graph graph = graph_of(example.graph);
      graph.opset = kNewestOpset;  // some ops are newer than the default
      if (!op->domain.empty()) graph.domains.emplace(op->domain, 1);
      expect_round_trip(graph);
    }
  }
}

TEST(Onnx, WritesTheIrVersionThatTheOpsetNeeds) {
  for (const auto& [opset, ir_version] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{13, 7}, {15, 8}, {17, 8}, {19, 9}, {21, 10}, {22, 10}}) {
    Graph graph = graph_of(kConvNet);
    graph.opset = opset;
    const auto bytes = write_onnx(graph);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
    onnx::pb::ModelProto proto;
    ASSERT_TRUE(proto.ParseFromString(*bytes));
    EXPECT_EQ(proto.ir_version(), ir_version);
    EXPECT_EQ(proto.opset_import(0).version(), opset);
    EXPECT_EQ(read_onnx(*bytes, "test.onnx").value().opset, opset);
  }
}

TEST(Onnx, RefusesToWriteWhatCannotBeRead) {
  Graph graph = graph_of(kConvNet);
  graph.opset = 23;
  const auto newer = write_onnx(graph);
  ASSERT_FALSE(newer.has_value());
  EXPECT_THAT(newer.error().message, HasSubstr("opset 23"));
  graph = graph_of(kConvNet);
  graph.set_type(graph.inputs[0], {});
  EXPECT_FALSE(write_onnx(graph).has_value());
  graph = graph_of(kConvNet);
  graph.nodes()[0].op = "NoSuchOp";
  EXPECT_FALSE(write_onnx(graph).has_value());
}

TEST(Onnx, SavesAndLoads) {
  const auto folder = TempFolder::create("onnx-test");
  ASSERT_TRUE(folder.has_value());
  const Path path = folder->path() / "model.onnx";
  const Graph graph = graph_of(kConvNet);
  ASSERT_TRUE(save_onnx(graph, path).has_value());
  EXPECT_EQ(to_text(load_onnx(path).value()), to_text(graph));
  const auto missing = load_onnx(folder->path() / "none.onnx");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

/// A model of one Relu, to be changed by a test.
onnx::pb::ModelProto relu_proto() {
  onnx::pb::ModelProto proto;
  EXPECT_TRUE(proto.ParseFromString(write_onnx(graph_of("graph \"g\" { opset 13 input x: float32[2] y = Relu(x) output y }")).value()));
  return proto;
}

TEST(Onnx, MakesInitializersOfConstants) {
  auto proto = relu_proto();
  auto* node = proto.mutable_graph()->add_node();
  node->set_op_type("Constant");
  node->add_output("c");
  auto* attribute = node->add_attribute();
  attribute->set_name("value_ints");
  attribute->set_type(onnx::pb::AttributeProto::INTS);
  attribute->add_ints(5);
  proto.mutable_graph()->add_output()->set_name("c");
  const auto graph = read_onnx(proto.SerializeAsString(), "test.onnx");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_EQ(graph->nodes().size(), 1U);
  const Tensor* constant = graph->initializer(graph->find_value("c").value());
  ASSERT_NE(constant, nullptr);
  EXPECT_TRUE(same_bits(*constant, Tensor::of<std::int64_t>({1}, {5})));
}

TEST(Onnx, ReadsTypedFields) {
  onnx::pb::TensorProto proto;
  proto.add_dims(2);
  proto.set_data_type(onnx::pb::TensorProto::INT8);
  proto.add_int32_data(-128);
  proto.add_int32_data(127);
  EXPECT_TRUE(same_bits(read_onnx_tensor(proto.SerializeAsString(), "t").value(), Tensor::of<std::int8_t>({2}, {-128, 127})));
  proto.set_data_type(onnx::pb::TensorProto::UINT8);
  EXPECT_THAT(read_onnx_tensor(proto.SerializeAsString(), "t").error().message,
              HasSubstr("t: found value -128 at element 0, expected one of type uint8"));
  proto.set_data_type(onnx::pb::TensorProto::BOOL);
  EXPECT_FALSE(read_onnx_tensor(proto.SerializeAsString(), "t").has_value());
  proto.set_data_type(onnx::pb::TensorProto::UINT32);
  proto.add_uint64_data(1);
  proto.add_uint64_data(std::numeric_limits<std::uint32_t>::max());
  EXPECT_TRUE(read_onnx_tensor(proto.SerializeAsString(), "t").has_value());
  proto.set_uint64_data(0, std::uint64_t{1} << 32U);
  EXPECT_FALSE(read_onnx_tensor(proto.SerializeAsString(), "t").has_value());
}

TEST(Onnx, KnowsTheRanksThatAnOldOpsetDependsOn) {
  onnx::pb::ModelProto proto;
  const Graph graph = graph_of(R"(graph "g" { opset 13 input x: float32[N, 2, 2] init b = float32[2, 1] {1, 2}
    y = Relu(x) as first z = Add(y, b) as second output z })");
  ASSERT_TRUE(proto.ParseFromString(write_onnx(graph).value()));
  proto.mutable_opset_import(0)->set_version(6);
  proto.mutable_graph()->clear_value_info();
  auto* bias = proto.mutable_graph()->mutable_initializer(0);
  bias->mutable_dims()->RemoveLast();
  for (const char* name : {"axis", "broadcast"}) {
    auto* attribute = proto.mutable_graph()->mutable_node(1)->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::pb::AttributeProto::INT);
    attribute->set_i(1);
  }
  // B is aligned at axis 1 of A, whose rank only the node before tells.
  const auto read = read_onnx(proto.SerializeAsString(), "test.onnx");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_THAT(to_text(*read), HasSubstr("float32[2, 1] {1, 2}"));
  EXPECT_TRUE(read->nodes()[1].attributes.empty());
}

TEST(Onnx, SortsNodesThatStandInTheWrongOrder) {
  const Graph graph = graph_of("graph \"g\" { opset 13 input x: float32[2] y = Relu(x) as first z = Relu(y) as second output z }");
  onnx::pb::ModelProto proto;
  ASSERT_TRUE(proto.ParseFromString(write_onnx(graph).value()));
  proto.mutable_graph()->mutable_node()->SwapElements(0, 1);
  const auto read = read_onnx(proto.SerializeAsString(), "test.onnx");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(to_text(*read), to_text(graph));
}

TEST(Onnx, TakesInitializersThatAreInputsToo) {
  onnx::pb::ModelProto proto;
  const Graph graph = graph_of(kConvNet);
  ASSERT_TRUE(proto.ParseFromString(write_onnx(graph).value()));
  proto.set_ir_version(3);
  auto* input = proto.mutable_graph()->add_input();
  input->set_name("w");
  input->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::pb::TensorProto::FLOAT);
  const auto read = read_onnx(proto.SerializeAsString(), "test.onnx");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(to_text(*read), to_text(graph));
  input->mutable_type()->mutable_tensor_type()->set_elem_type(onnx::pb::TensorProto::INT8);
  EXPECT_THAT(read_onnx(proto.SerializeAsString(), "test.onnx").error().message, HasSubstr("input 'w': found type int8, expected float32"));
}

TEST(Onnx, KeepsTheTypesThatTheFileGivesToInnerValues) {
  onnx::pb::ModelProto proto;
  ASSERT_TRUE(proto.ParseFromString(write_onnx(graph_of(kConvNet)).value()));
  ASSERT_EQ(proto.graph().value_info_size(), 1);
  EXPECT_EQ(proto.graph().value_info(0).name(), "y");
  proto.mutable_graph()->mutable_value_info(0)->set_name("gone");  // left behind by a tool
  EXPECT_TRUE(read_onnx(proto.SerializeAsString(), "test.onnx").has_value());
}

// Models of others, where MORU_TEST_DATA says that they are: each is read, or refused for a stated reason.
TEST(Onnx, ReadsRealModels) {
  const char* folder = std::getenv("MORU_TEST_DATA");
  if (folder == nullptr) GTEST_SKIP() << "set MORU_TEST_DATA to a folder with models/*.onnx";
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(Path(folder) / "models")) {
    if (entry.path().extension() != ".onnx") continue;
    SCOPED_TRACE(entry.path().string());
    ++found;
    const auto graph = load_onnx(entry.path());
    if (graph) {
      expect_round_trip(*graph);
    } else {
      EXPECT_EQ(graph.error().code, ErrorCode::kUnsupported) << graph.error().message;
      EXPECT_THAT(graph.error().message, testing::StartsWith(entry.path().string()));
    }
  }
  EXPECT_GT(found, 0) << "no models/*.onnx in " << folder;
}

}  // namespace
}  // namespace moru::model
