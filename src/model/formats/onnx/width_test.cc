// SPDX-License-Identifier: Apache-2.0
// Functions, bodies, other domains, sparse and external data: in, and out again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/formats/onnx/convert.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using onnx::pb::AttributeProto;
using onnx::pb::FunctionProto;
using onnx::pb::ModelProto;
using onnx::pb::NodeProto;
using onnx::pb::TensorProto;
using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const ModelProto& proto) {
  const auto graph = read_onnx(proto.SerializeAsString(), "m");
  return graph ? "read" : graph.error().message;
}

Graph read(const ModelProto& proto) {
  auto graph = read_onnx(proto.SerializeAsString(), "m");
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  return graph ? std::move(*graph) : Graph();
}

void add_io(ModelProto& model, const std::string& input, const std::string& output) {
  for (auto* info : {model.mutable_graph()->add_input(), model.mutable_graph()->add_output()}) {
    info->set_name(info == &model.graph().input(0) ? input : output);
    info->mutable_type()->mutable_tensor_type()->set_elem_type(TensorProto::FLOAT);
    info->mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(2);
  }
}

ModelProto empty_model(std::int64_t opset = 22) {
  ModelProto model;
  model.set_ir_version(10);
  model.add_opset_import()->set_version(opset);
  model.mutable_graph()->set_name("g");
  return model;
}

template <class Parent>
NodeProto* add_node(Parent* parent, const std::string& op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                    const std::string& domain = "") {
  NodeProto* node = parent->add_node();
  node->set_op_type(op);
  node->set_domain(domain);
  for (const auto& name : inputs) node->add_input(name);
  for (const auto& name : outputs) node->add_output(name);
  return node;
}

FunctionProto* add_function(ModelProto& model, const std::string& name, const std::vector<std::string>& inputs,
                            const std::vector<std::string>& outputs) {
  FunctionProto* function = model.add_functions();
  function->set_name(name);
  function->set_domain("local");
  for (const auto& input : inputs) function->add_input(input);
  for (const auto& output : outputs) function->add_output(output);
  function->add_opset_import()->set_version(22);
  return function;
}

/// x -> Leak2(x) -> y, where Leak2 calls Leak twice, and Leak has an attribute with a default.
ModelProto model_of_functions() {
  ModelProto model = empty_model();
  add_io(model, "x", "y");
  auto* import = model.add_opset_import();
  import->set_domain("local");
  import->set_version(1);
  add_node(model.mutable_graph(), "Leak2", {"x"}, {"y"}, "local")->set_name("call");
  auto* leak2 = add_function(model, "Leak2", {"a"}, {"b"});
  auto* first = add_node(leak2, "Leak", {"a"}, {"t"}, "local");
  auto* alpha = first->add_attribute();
  alpha->set_name("slope");
  alpha->set_type(AttributeProto::FLOAT);
  alpha->set_f(0.5F);
  add_node(leak2, "Leak", {"t"}, {"b"}, "local");
  auto* leak = add_function(model, "Leak", {"x"}, {"y"});
  auto* fallback = leak->add_attribute_proto();
  fallback->set_name("slope");
  fallback->set_type(AttributeProto::FLOAT);
  fallback->set_f(0.25F);
  auto* relu = add_node(leak, "LeakyRelu", {"x"}, {"y"});
  auto* reference = relu->add_attribute();
  reference->set_name("alpha");
  reference->set_type(AttributeProto::FLOAT);
  reference->set_ref_attr_name("slope");
  return model;
}

TEST(OnnxFunctions, AreReplacedByWhatTheyDo) {
  const Graph graph = read(model_of_functions());
  EXPECT_EQ(to_text(graph), R"(graph "g" {
  opset 22
  input x: float32[2]
  call/t: float32[2] = LeakyRelu(x) {alpha = 0.5}
  y: float32[2] = LeakyRelu(call/t) {alpha = 0.25}
  output y
}
)");
  const auto outputs = evaluate(graph, std::vector{Tensor::of<float>({2}, {-8, 1})});
  ASSERT_TRUE(outputs.has_value()) << outputs.error().message;
  EXPECT_THAT((*outputs)[0].data<float>(), ElementsAre(-1.0F, 1.0F));
}

TEST(OnnxFunctions, AnInputHandedThroughAndOneLeftOut) {
  ModelProto model = empty_model();
  add_io(model, "x", "y");
  add_node(model.mutable_graph(), "Pass", {"x"}, {"y"}, "local");
  auto* pass = add_function(model, "Pass", {"a", "b"}, {"a"});
  add_node(pass, "Clip", {"a", "b"}, {"unused"});
  const Graph graph = read(model);
  EXPECT_EQ(graph.nodes().size(), 2U);
  EXPECT_EQ(graph.nodes()[0].inputs[1], kNoValue);
  EXPECT_EQ(graph.nodes()[1].op, "Identity");
  EXPECT_EQ(graph.value(graph.outputs[0]).name, "y");
}

TEST(OnnxFunctions, AFunctionsOpsMeanWhatItsOwnOpsetSays) {
  ModelProto model = empty_model();
  add_io(model, "x", "y");
  add_node(model.mutable_graph(), "F", {"x"}, {"y"}, "local");
  auto* function = add_function(model, "F", {"a"}, {"b"});
  function->mutable_opset_import(0)->set_version(6);
  auto* clip = add_node(function, "Clip", {"a"}, {"b"});  // its limits were attributes until opset 11
  auto* limit = clip->add_attribute();
  limit->set_name("max");
  limit->set_type(AttributeProto::FLOAT);
  limit->set_f(1);
  const auto outputs = evaluate(read(model), std::vector{Tensor::of<float>({2}, {-8, 8})});
  ASSERT_TRUE(outputs.has_value()) << outputs.error().message;
  EXPECT_THAT((*outputs)[0].data<float>(), ElementsAre(-8.0F, 1.0F));
}

TEST(OnnxFunctions, BadOnesAreRefused) {
  ModelProto model = model_of_functions();
  model.mutable_functions(1)->mutable_node(0)->set_op_type("Leak2");
  model.mutable_functions(1)->mutable_node(0)->set_domain("local");
  EXPECT_THAT(error_of(model), HasSubstr("found a function that calls itself"));
  model = model_of_functions();
  *model.add_functions() = model.functions(0);
  EXPECT_THAT(error_of(model), HasSubstr("function 'Leak2': found a second one of that name"));
  model = model_of_functions();
  model.mutable_graph()->mutable_node(0)->add_input("x");
  EXPECT_THAT(error_of(model), HasSubstr("node 0 ('Leak2' 'call'): found 2 inputs and 1 outputs, expected at most 1 and 1"));
  model = model_of_functions();
  model.mutable_functions(0)->set_output(0, "nothing");
  EXPECT_THAT(error_of(model), HasSubstr("function output 'nothing': found no value"));
  model = model_of_functions();
  model.mutable_functions(0)->mutable_node(0)->set_input(0, "x");
  EXPECT_THAT(error_of(model), HasSubstr("function 'Leak2': node 0 ('Leak' ''): found input 'x', which nothing makes"));
  model = model_of_functions();
  model.mutable_functions(1)->mutable_opset_import(0)->set_version(23);
  EXPECT_THAT(error_of(model), HasSubstr("found opset 23"));
}

TEST(OnnxFunctions, GrowthHasALimit) {
  ModelProto model = empty_model();
  add_io(model, "x", "y");
  add_node(model.mutable_graph(), "f0", {"x"}, {"y"}, "local");
  for (int i = 0; i < 40; ++i) {
    auto* function = add_function(model, "f" + std::to_string(i), {"a"}, {"c"});
    const std::string next = i + 1 < 40 ? "f" + std::to_string(i + 1) : "Relu";
    const std::string domain = i + 1 < 40 ? "local" : "";
    add_node(function, next, {"a"}, {"b"}, domain);
    add_node(function, next, {"b"}, {"c"}, domain);
  }
  EXPECT_THAT(error_of(model), HasSubstr("found functions that make more than 1000000 nodes"));
  const auto limited = read_onnx(model.SerializeAsString(), "m", {.max_memory_bytes = 1U << 20U});
  ASSERT_FALSE(limited.has_value());
  EXPECT_EQ(limited.error().code, ErrorCode::kResourceExhausted);
}

constexpr std::string_view kBranches = R"(graph "branches" {
  opset 22
  input c: bool[]
  input x: float32[2]
  init w = float32[2] {1, 2}
  h: float32[2] = Relu(x)
  y: float32[2] = If(c) {else_branch = graph "else" (h) {
    opset 22
    input h: float32[2]
    y_inner: float32[2] = Neg(h)
    output y_inner
  }, then_branch = graph "then" (h, w) {
    opset 22
    input h: float32[2]
    input w: float32[2]
    sum: float32[2] = Add(h, w)
    output sum
  }} as branch
  output y
}
)";

Graph graph_of(std::string_view text) {
  auto graph = parse_text(text);
  EXPECT_TRUE(graph.has_value()) << graph.error().message;
  const Status inferred = infer_shapes(*graph);
  EXPECT_TRUE(inferred.has_value()) << inferred.error().message;
  return std::move(*graph);
}

TEST(OnnxBodies, GoOutAndComeBack) {
  const Graph graph = graph_of(kBranches);
  const auto bytes = write_onnx(graph);
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  ModelProto proto;
  ASSERT_TRUE(proto.ParseFromString(*bytes));
  const auto& branch = proto.graph().node(1).attribute(0).g();
  EXPECT_EQ(branch.input_size(), 0) << "what a body captures has its outer name, and is no input";
  EXPECT_EQ(branch.node(0).input(0), "h");
  const auto again = read_onnx(*bytes, "m");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(to_text(*again), kBranches);
}

TEST(OnnxBodies, ANameThatMeansSomethingOutsideIsChanged) {
  std::string text(kBranches);
  for (std::size_t at = text.find("y_inner"); at != std::string::npos; at = text.find("y_inner")) text.replace(at, 7, "x");
  const auto bytes = write_onnx(graph_of(text));
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  ModelProto proto;
  ASSERT_TRUE(proto.ParseFromString(*bytes));
  EXPECT_EQ(proto.graph().node(1).attribute(0).g().output(0).name(), "x_inner1");
}

TEST(OnnxBodies, AreBroughtToTheOpsetAsked) {
  const std::string_view text = R"(graph "g" {
  opset 22
  input c: bool[]
  input x: float32[2, 3]
  y = If(c) {else_branch = graph "else" (x) {
    opset 22
    input x: float32[2, 3]
    y1 = Clip(x)
    output y1
  }, then_branch = graph "then" (x) {
    opset 22
    input x: float32[2, 3]
    y2 = Identity(x)
    output y2
  }}
  output y
})";
  const auto bytes = write_onnx(graph_of(text), {.opset = 13});
  ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
  const auto again = read_onnx(*bytes, "m");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(again->opset, 13);
  EXPECT_EQ(std::get<Subgraph>(again->nodes()[0].attributes.at("then_branch")).graph->opset, 13);
  EXPECT_THAT(write_onnx(graph_of(text), {.opset = 12}).error().message, HasSubstr("found opset 12, expected 13 to 22"));
  EXPECT_THAT(write_onnx(graph_of(text), {.opset = 23}).error().message, HasSubstr("found opset 23, expected 13 to 22"));
}

TEST(OnnxBodies, AnOutputThatIsAnOuterValueIsCopied) {
  ModelProto proto;
  ASSERT_TRUE(proto.ParseFromString(write_onnx(graph_of(kBranches)).value()));
  auto* branch = proto.mutable_graph()->mutable_node(1)->mutable_attribute(0)->mutable_g();
  branch->clear_node();
  branch->clear_value_info();
  branch->mutable_output(0)->set_name("h");
  const Graph graph = read(proto);
  const auto& body = std::get<Subgraph>(graph.nodes()[1].attributes.at("else_branch"));
  ASSERT_EQ(body.graph->nodes().size(), 1U);
  EXPECT_EQ(body.graph->nodes()[0].op, "Identity");
}

TEST(OnnxBodies, NodesWaitForWhatBodiesUse) {
  ModelProto proto;
  ASSERT_TRUE(proto.ParseFromString(write_onnx(graph_of(kBranches)).value()));
  proto.mutable_graph()->mutable_node()->SwapElements(0, 1);
  EXPECT_EQ(to_text(read(proto)), kBranches);
  auto* branch = proto.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g();
  branch->mutable_node(0)->set_input(0, "y");
  EXPECT_THAT(error_of(proto), HasSubstr("node 0 ('If' 'branch'): found a cycle"));
  branch->mutable_node(0)->set_input(0, "nowhere");
  EXPECT_THAT(error_of(proto), HasSubstr("node 0 ('If' 'branch'): found input 'nowhere'"));
}

TEST(OnnxBodies, DepthHasALimit) {
  const auto nested = [](int depth) {
    ModelProto model = empty_model();
    auto* condition = model.mutable_graph()->add_initializer();
    condition->set_name("c");
    condition->set_data_type(TensorProto::BOOL);
    condition->set_raw_data(std::string(1, '\1'));
    auto* graph = model.mutable_graph();
    for (int i = 0; i <= depth; ++i) {
      const std::string result = "y" + std::to_string(i);
      graph->add_output()->set_name(result);
      if (i == depth) {
        add_node(graph, "Identity", {"c"}, {result});
        break;
      }
      auto* node = add_node(graph, "If", {"c"}, {result});
      for (const char* name : {"else_branch", "then_branch"}) {
        auto* attribute = node->add_attribute();
        attribute->set_name(name);
        attribute->set_type(AttributeProto::GRAPH);
        graph = attribute->mutable_g();
        if (name[0] == 'e') {
          graph->add_output()->set_name(result + "e");
          add_node(graph, "Identity", {"c"}, {result + "e"});
        }
      }
    }
    return model.SerializeAsString();
  };
  const auto deep = read_onnx(nested(63), "m");
  ASSERT_TRUE(deep.has_value()) << deep.error().message;
  const auto again = read_onnx(write_onnx(*deep).value(), "m");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(to_text(*again), to_text(*deep));
  EXPECT_THAT(read_onnx(nested(65), "m").error().message, HasSubstr("found graphs more than 64 deep"));
  EXPECT_FALSE(read_onnx(nested(400), "m").has_value());
}

TEST(OnnxDomains, UnknownOpsOfOtherDomainsAreKept) {
  ModelProto model = empty_model();
  add_io(model, "x", "y");
  auto* import = model.add_opset_import();
  import->set_domain("com.example");
  import->set_version(3);
  auto* node = add_node(model.mutable_graph(), "Magic", {"x", ""}, {"y"}, "com.example");
  node->set_name("m1");
  auto* attribute = node->add_attribute();
  attribute->set_name("level");
  attribute->set_type(AttributeProto::INT);
  attribute->set_i(9);
  const Graph graph = read(model);
  EXPECT_EQ(graph.domains.at("com.example"), 3);
  const auto again = read_onnx(write_onnx(graph).value(), "m");
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(to_text(*again), to_text(graph));
  EXPECT_EQ(to_text(parse_text(to_text(graph)).value()), to_text(graph));
  const auto outputs = evaluate(graph, std::vector{Tensor::of<float>({2}, {1, 2})});
  ASSERT_FALSE(outputs.has_value());
  EXPECT_EQ(outputs.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(outputs.error().message, HasSubstr("node 0 (Magic 'm1'): found 'Magic', which has no reference"));
  model.mutable_graph()->mutable_node(0)->set_domain("");
  EXPECT_THAT(error_of(model), HasSubstr("found op 'Magic', expected one that `moru ops` lists"));
}

ModelProto sparse_model(const std::vector<std::int64_t>& indices, const std::vector<std::int64_t>& index_dims) {
  ModelProto model = empty_model();
  auto* sparse = model.mutable_graph()->add_sparse_initializer();
  sparse->add_dims(2);
  sparse->add_dims(3);
  sparse->mutable_values()->set_name("w");
  sparse->mutable_values()->set_data_type(TensorProto::FLOAT);
  sparse->mutable_values()->add_dims(2);
  sparse->mutable_values()->add_float_data(5);
  sparse->mutable_values()->add_float_data(6);
  sparse->mutable_indices()->set_data_type(TensorProto::INT64);
  for (const auto dim : index_dims) sparse->mutable_indices()->add_dims(dim);
  for (const auto index : indices) sparse->mutable_indices()->add_int64_data(index);
  add_node(model.mutable_graph(), "Relu", {"w"}, {"y"});
  model.mutable_graph()->add_output()->set_name("y");
  return model;
}

TEST(OnnxSparse, InitializersBecomeDense) {
  for (const ModelProto& model : {sparse_model({1, 5}, {2}), sparse_model({0, 1, 1, 2}, {2, 2})}) {
    const Graph graph = read(model);
    const Tensor* w = graph.initializer(graph.find_value("w").value());
    ASSERT_NE(w, nullptr);
    EXPECT_TRUE(same_bits(*w, Tensor::of<float>({2, 3}, {0, 5, 0, 0, 0, 6})));
  }
  EXPECT_THAT(error_of(sparse_model({1, 6}, {2})), HasSubstr("initializer 'w': indices: found 6, expected 0 to 5"));
  EXPECT_THAT(error_of(sparse_model({0, 1, 2, 0}, {2, 2})), HasSubstr("indices: found 2, expected 0 to 1"));
  EXPECT_THAT(error_of(sparse_model({0, 1, 2}, {3})), HasSubstr("found values [2] and indices int64 [3]"));
}

TEST(OnnxTypes, EveryElementTypeGoesOutAndComesBack) {
  const std::string_view texts[] = {"float16[3] {1, -0.5, nan}", "bfloat16[1] {3}",         "float8e4m3fn[2] {448, nan}",
                                    "float8e4m3fnuz[1] {240}",   "float8e5m2[2] {inf, 1}",  "float8e5m2fnuz[1] {2}",
                                    "complex64[1] {(1, -2)}",    "complex128[1] {(1, -2)}", "int4[3] {-8, 7, 1}",
                                    "uint4[2] {15, 0}",          "string[2] {\"a\", \"\"}", "bool[2] {true, false}"};
  for (const std::string_view text : texts) {
    SCOPED_TRACE(text);
    const Tensor tensor = parse_tensor_text(text).value();
    Graph graph;
    graph.opset = 22;
    const ValueId w = graph.add_initializer("w", tensor);
    Node node;
    node.op = "Identity";
    node.inputs = {w};
    node.outputs = {graph.add_value("y")};
    graph.nodes() = {node};
    graph.outputs = node.outputs;
    const auto bytes = write_onnx(graph);
    ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
    const auto again = read_onnx(*bytes, "m");
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_TRUE(same_bits(*again->initializer(again->find_value("w").value()), tensor));
  }
}

TEST(OnnxTypes, TypedFieldsAsTheSpecificationSays) {
  TensorProto proto;
  proto.add_dims(3);
  proto.set_data_type(TensorProto::INT4);
  proto.add_int32_data(0x78);
  proto.add_int32_data(0x0F);
  EXPECT_EQ(to_text(read_onnx_tensor(proto.SerializeAsString(), "t").value()), "int4[3] {-8, 7, -1}");
  proto.set_data_type(TensorProto::FLOAT16);
  proto.set_int32_data(0, 0x3C00);
  proto.set_int32_data(1, 0xC000);
  proto.add_int32_data(0x7C00);
  EXPECT_EQ(to_text(read_onnx_tensor(proto.SerializeAsString(), "t").value()), "float16[3] {1, -2, inf}");
  proto.set_int32_data(0, 0x10000);
  EXPECT_THAT(read_onnx_tensor(proto.SerializeAsString(), "t").error().message, HasSubstr("found value 65536 at element 0"));
  proto.set_data_type(TensorProto::FLOAT);
  EXPECT_THAT(read_onnx_tensor(proto.SerializeAsString(), "t").error().message, HasSubstr("found int32_data, expected float_data"));
}

TEST(OnnxMemory, TheLimitIsKept) {
  ModelProto model = empty_model();
  add_io(model, "x", "y");
  add_node(model.mutable_graph(), "Relu", {"x"}, {"y"});
  auto* weights = model.mutable_graph()->add_initializer();
  weights->set_name("w");
  weights->set_data_type(TensorProto::FLOAT);
  weights->add_dims(1 << 18);
  weights->set_raw_data(std::string(1 << 20, '\0'));
  const std::string bytes = model.SerializeAsString();
  EXPECT_TRUE(read_onnx(bytes, "m", {.max_memory_bytes = 2U << 20U}).has_value());
  EXPECT_EQ(read_onnx(bytes, "m", {.max_memory_bytes = 1U << 19U}).error().code, ErrorCode::kResourceExhausted);
  // A thousand times as much memory as file: empty nodes.
  ModelProto many = empty_model();
  for (int i = 0; i < 100'000; ++i) many.mutable_graph()->add_node();
  EXPECT_EQ(read_onnx(many.SerializeAsString(), "m", {.max_memory_bytes = 1U << 22U}).error().code, ErrorCode::kResourceExhausted);
}

class OnnxFile : public testing::Test {
 protected:
  /// A model whose weights lie in w.bin; `change` may spoil it.
  Result<Graph> load(const std::function<void(TensorProto&)>& change) {
    ModelProto model = empty_model();
    add_io(model, "x", "y");
    auto* weights = model.mutable_graph()->add_initializer();
    weights->set_name("w");
    weights->set_data_type(TensorProto::FLOAT);
    weights->add_dims(2);
    weights->set_data_location(TensorProto::EXTERNAL);
    for (const auto& [key, value] : {std::pair("location", "w.bin"), std::pair("offset", "4"), std::pair("length", "8")}) {
      auto* entry = weights->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    add_node(model.mutable_graph(), "Add", {"x", "w"}, {"y"});
    change(*weights);
    EXPECT_TRUE(write_file_atomic(folder_.path() / "m.onnx", model.SerializeAsString()).has_value());
    return load_onnx(folder_.path() / "m.onnx");
  }

  std::string error_with(const std::string& key, const std::string& value) {
    const auto graph = load([&](TensorProto& tensor) {
      for (auto& entry : *tensor.mutable_external_data()) {
        if (entry.key() == key) entry.set_value(value);
      }
    });
    return graph ? "read" : graph.error().message;
  }

  void SetUp() override {
    const float numbers[] = {0, 1.5F, 2.5F, 0};
    const std::string bytes(reinterpret_cast<const char*>(numbers), sizeof(numbers));
    ASSERT_TRUE(write_file_atomic(folder_.path() / "w.bin", bytes).has_value());
  }

  TempFolder folder_ = TempFolder::create("onnx").value();
};

TEST_F(OnnxFile, TakesTensorsFromOtherFilesOfItsFolder) {
  const auto graph = load([](TensorProto&) {});
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_THAT(graph->initializer(graph->find_value("w").value())->data<float>(), ElementsAre(1.5F, 2.5F));
}

TEST_F(OnnxFile, AsBytesItHasWhatLiesInOtherFiles) {
  ASSERT_TRUE(load([](TensorProto&) {}).has_value());
  const Path path = folder_.path() / "m.onnx";
  const auto parts = check_whole_onnx(read_file(path).value());
  ASSERT_FALSE(parts.has_value());
  EXPECT_EQ(parts.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(parts.error().message, HasSubstr("tensor 'w': found data in another file ('w.bin'), expected it in the model"));
  const auto whole = read_whole_onnx(path);
  ASSERT_TRUE(whole.has_value()) << whole.error().message;
  EXPECT_TRUE(check_whole_onnx(*whole).has_value());
  EXPECT_EQ(to_text(read_onnx(*whole, "m").value()), to_text(load_onnx(path).value()));
  // As it is: a whole file, and what is no model at all.
  ASSERT_TRUE(write_file_atomic(path, *whole).has_value());
  EXPECT_EQ(read_whole_onnx(path).value(), *whole);
  ASSERT_TRUE(write_file_atomic(path, "no model").has_value());
  EXPECT_EQ(read_whole_onnx(path).value(), "no model");
}

TEST_F(OnnxFile, AsBytesItTakesNothingFromElsewhereAndNoMoreThanAllowed) {
  const auto error_of = [&](const std::function<void(TensorProto&)>& change, std::uint64_t most = 1U << 30U) {
    (void)load(change);
    const auto whole = read_whole_onnx(folder_.path() / "m.onnx", {.max_memory_bytes = most});
    return whole ? "read" : whole.error().message;
  };
  const auto location = [](const std::string& value) {
    return [value](TensorProto& tensor) { tensor.mutable_external_data(0)->set_value(value); };
  };
  EXPECT_THAT(error_of(location("../../etc/passwd")), HasSubstr("m.onnx: tensor 'w': external data: found location"));
  EXPECT_THAT(error_of(location("gone")), HasSubstr("found no file 'gone'"));
  ASSERT_TRUE(write_file_atomic(folder_.path() / "w.bin", std::string(1U << 20U, 'w')).has_value());
  const auto all = [](TensorProto& tensor) { tensor.mutable_external_data()->RemoveLast(); };
  EXPECT_EQ(error_of(all), "read");
  EXPECT_THAT(error_of(all, 1U << 20U), HasSubstr("takes more than 1048576 bytes of memory"));
}

TEST_F(OnnxFile, AsBytesItHasWhatLiesBelowNodes) {
  ASSERT_TRUE(load([](TensorProto&) {}).has_value());
  ModelProto model;
  ASSERT_TRUE(model.ParseFromString(read_file(folder_.path() / "m.onnx").value()));
  TensorProto weights = model.graph().initializer(0);
  model.mutable_graph()->clear_initializer();
  auto* node = model.mutable_graph()->mutable_node()->Add();
  node->set_op_type("Constant");
  node->add_output("w");
  auto* value = node->add_attribute();
  value->set_name("value");
  value->set_type(onnx_pb::AttributeProto::TENSOR);
  *value->mutable_t() = weights;
  model.mutable_graph()->mutable_node()->SwapElements(0, 1);
  ASSERT_TRUE(write_file_atomic(folder_.path() / "m.onnx", model.SerializeAsString()).has_value());
  EXPECT_FALSE(check_whole_onnx(model.SerializeAsString()).has_value());
  const auto graph = read_onnx(read_whole_onnx(folder_.path() / "m.onnx").value(), "m");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_THAT(graph->initializer(graph->find_value("w").value())->data<float>(), ElementsAre(1.5F, 2.5F));
}

TEST_F(OnnxFile, OnlyFromItsFolder) {
  ASSERT_TRUE(make_folders(folder_.path() / "sub").has_value());
  const auto outside = TempFolder::create("outside").value();
  ASSERT_TRUE(write_file_atomic(outside.path() / "secret", std::string(16, 's')).has_value());
  std::filesystem::create_symlink(outside.path() / "secret", folder_.path() / "link");
  std::filesystem::create_symlink(outside.path(), folder_.path() / "folder_link");
  std::filesystem::create_symlink(folder_.path() / "w.bin", folder_.path() / "good_link");
  for (const std::string& location : {std::string("../secret"), (outside.path() / "secret").string(), std::string("sub/../../x"),
                                      std::string(), std::string("link"), std::string("folder_link/secret"), std::string("w.bin\0x", 7)}) {
    EXPECT_THAT(error_with("location", location), HasSubstr("initializer 'w': external data: found location"));
  }
  EXPECT_THAT(error_with("location", "sub"), HasSubstr("no regular file"));
  EXPECT_THAT(error_with("location", "gone"), HasSubstr("found no file 'gone'"));
  EXPECT_EQ(error_with("location", "good_link"), "read");
}

TEST_F(OnnxFile, PlacesInTheFileAreChecked) {
  EXPECT_THAT(error_with("offset", "12"), HasSubstr("found offset 12 and length 8 in 'w.bin', expected them within its 16 bytes"));
  EXPECT_THAT(error_with("offset", "18446744073709551615"), HasSubstr("found offset 18446744073709551615"));
  EXPECT_THAT(error_with("length", "18446744073709551615"), HasSubstr("found offset 4 and length"));
  EXPECT_THAT(error_with("length", "4"), HasSubstr("found 4 bytes, expected 8"));
  EXPECT_THAT(error_with("length", "-8"), HasSubstr("found length '-8', expected a number of bytes"));
  EXPECT_THAT(error_with("offset", "0x4"), HasSubstr("found offset '0x4'"));
}

TEST_F(OnnxFile, WeightsCanBeWrittenBesideTheModel) {
  const auto graph = load([](TensorProto&) {}).value();
  const Path path = folder_.path() / "out.onnx";
  ASSERT_TRUE(save_onnx(graph, path, {.opset = {}, .external_bytes = 8}).has_value());
  EXPECT_EQ(std::filesystem::file_size(folder_.path() / "out.onnx.data"), 8U);
  const auto again = load_onnx(path);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(to_text(*again), to_text(graph));
}

TEST_F(OnnxFile, TensorsLieWhereTheyAreInTheFile) {
  ModelProto model = empty_model();
  add_io(model, "x", "y");
  add_node(model.mutable_graph(), "Relu", {"x"}, {"y"});
  auto* weights = model.mutable_graph()->add_initializer();
  weights->set_name("w");
  weights->set_data_type(TensorProto::UINT8);
  weights->add_dims(5);
  weights->set_raw_data("hello");
  auto* floats = model.mutable_graph()->add_initializer();
  floats->set_name("f");
  floats->set_data_type(TensorProto::FLOAT);
  floats->add_dims(2);
  floats->add_float_data(1);
  floats->add_float_data(2);
  ASSERT_TRUE(write_file_atomic(folder_.path() / "m.onnx", model.SerializeAsString()).has_value());
  auto graph = load_onnx(folder_.path() / "m.onnx");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  const Tensor tensor = *graph->initializer(graph->find_value("w").value());
  const Tensor other = *graph->initializer(graph->find_value("f").value());
  graph = Graph();
  std::filesystem::remove(folder_.path() / "m.onnx");
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(tensor.bytes().data()), 5), "hello") << "the mapping lives as long as a tensor does";
  EXPECT_THAT(other.data<float>(), ElementsAre(1, 2));
  const auto distance = other.bytes().data() - tensor.bytes().data();
  EXPECT_TRUE(distance > 0 && distance < 64) << "both lie in the mapped file";
}

}  // namespace
}  // namespace moru::model
