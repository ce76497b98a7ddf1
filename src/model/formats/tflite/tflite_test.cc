// SPDX-License-Identifier: Apache-2.0
#include "model/formats/tflite/tflite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "model/formats/tflite/convert.h"
#include "model/graph/text.h"

namespace moru::model {
namespace {

using testing::HasSubstr;
namespace fb = moru::tflite_fb;

// Weights of real models are compared by their digests.
std::string summary(const Graph& graph) { return to_text(graph, {.max_elements = 64}); }

Graph parsed(std::string_view text) {
  auto graph = parse_text(text);
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
  return graph ? std::move(*graph) : Graph();
}

std::string written(const Graph& graph) {
  auto bytes = write_tflite(graph);
  EXPECT_TRUE(bytes.has_value()) << (bytes ? "" : bytes.error().message);
  return bytes.value_or("");
}

Graph read(std::string_view bytes) {
  auto graph = read_tflite(bytes, "test");
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
  return graph ? std::move(*graph) : Graph();
}

/// What is read after writing; options that the text left out are there with their defaults.
std::string there_and_back(std::string_view text) { return to_text(read(written(parsed(text)))); }

constexpr std::string_view kNet = R"(graph "net" {
  opset 13
  meta "tflite.description" = "made for a test"
  meta "min_runtime_version" = "1.5.0\x00"
  meta "tflite.signature:serving_default" = "{\"inputs\":[[\"image\",0]],\"outputs\":[[\"scores\",0]]}"
  input image: int8[?, 4, 4, 1] quant {scales = [0.5], zero_points = [-3], axis = 0}
  init w: int8[2, 3, 3, 1] quant {scales = [0.25, 0.125], zero_points = [0, 0], axis = 0} = int8[2, 3, 3, 1] {
    1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7,
    -8, -9}
  init b: int32[2] quant {scales = [0.125, 0.0625], zero_points = [0, 0], axis = 0} = int32[2] {10, -10}
  y: int8[?, 2, 2, 2] quant {scales = [1], zero_points = [0], axis = 0} = tflite::CONV_2D(image, w, b) {dilation_h_factor = 1, dilation_w_factor = 1, fused_activation_function = "RELU", padding = "VALID", quantized_bias_type = "FLOAT32", stride_h = 1, stride_w = 1}
  z: float32[?, 2] = tflite.custom::MyPool(y, _) {custom_options = "\x01\x02ab"}
  output z
}
)";

TEST(Tflite, AGraphIsTheSameAfterWritingAndReading) { EXPECT_EQ(there_and_back(kNet), kNet); }

TEST(Tflite, TensorsLieInTheFileOfAnOwner) {
  const auto bytes = std::make_shared<const std::string>(written(parsed(kNet)));
  const auto lies_inside = [&](const Graph& graph) {
    const std::byte* at = graph.initializer(*graph.find_value("w"))->bytes().data();
    const auto* begin = reinterpret_cast<const std::byte*>(bytes->data());
    return at >= begin && at < begin + bytes->size();
  };
  const Graph borrowed = read_tflite(*bytes, "test", bytes).value();
  EXPECT_TRUE(lies_inside(borrowed));
  EXPECT_EQ(to_text(borrowed), kNet);
  EXPECT_GT(bytes.use_count(), 1);
  EXPECT_FALSE(lies_inside(read(*bytes)));
  // Bytes that begin anywhere are copied as a whole, which then lives as long.
  const std::string moved = " " + *bytes;
  const Graph copied = read_tflite(std::string_view(moved).substr(1), "test", bytes).value();
  EXPECT_EQ(to_text(copied), kNet);
}

TEST(Tflite, WritingIsDeterministicAndDataIsAligned) {
  const std::string bytes = written(parsed(kNet));
  EXPECT_EQ(bytes, written(read(bytes)));
  EXPECT_EQ(bytes.substr(4, 4), "TFL3");
  const auto* model = fb::GetModel(bytes.data());
  int buffers = 0;
  for (const auto* buffer : *model->buffers()) {
    if (buffer->data() == nullptr || buffer->data()->size() == 0) continue;
    ++buffers;
    EXPECT_EQ((reinterpret_cast<const char*>(buffer->data()->data()) - bytes.data()) % 16, 0);
  }
  EXPECT_EQ(buffers, 3);
}

TEST(Tflite, OpsHaveTheVersionOfTheirTypes) {
  const std::string bytes = written(parsed(kNet));
  const auto* model = fb::GetModel(bytes.data());
  ASSERT_EQ(model->operator_codes()->size(), 2U);
  EXPECT_EQ(model->operator_codes()->Get(0)->version(), 3);
  EXPECT_EQ(model->operator_codes()->Get(1)->custom_code()->str(), "MyPool");
}

TEST(Tflite, BytesOnAnyAddressAreRead) {
  const std::string bytes = written(parsed(kNet));
  const std::string shifted = "x" + bytes;
  EXPECT_EQ(to_text(read(std::string_view(shifted).substr(1))), kNet);
}

TEST(Tflite, BodiesAndVariablesAreKept) {
  constexpr std::string_view kLoop = R"(graph "loop" {
  opset 13
  input x: float32[2]
  state: float32[2] = tflite::VARIABLE()
  y: float32[2] = tflite::WHILE(x) {body_subgraph = graph "body" {
    opset 13
    input a: float32[2]
    b: float32[2] = tflite::ADD(a, a) {fused_activation_function = "NONE", pot_scale_int16 = 1}
    output b
  }, cond_subgraph = graph "cond" {
    opset 13
    input c: float32[2]
    init no = bool[] {false}
    d: bool[2] = tflite::UNIQUE_FOR_A_TEST(c)
    output no
  }}
  z: float32[2] = tflite::MUL(y, state) {fused_activation_function = "NONE"}
  output z
}
)";
  std::string loop(kLoop);
  const std::string unknown = "UNIQUE_FOR_A_TEST(c)";
  EXPECT_THAT(write_tflite(parsed(loop)).error().message, HasSubstr("found op 'UNIQUE_FOR_A_TEST', expected a builtin op of TFLite"));
  loop.replace(loop.find(unknown), unknown.size(), "LOGICAL_NOT(no)");
  loop.replace(loop.find("d: bool[2]"), 10, "d: bool[]");
  EXPECT_EQ(there_and_back(loop), loop);
}

TEST(Tflite, WhatTheFormatCannotSayIsRefused) {
  const auto message = [](std::string_view text) {
    const auto bytes = write_tflite(parsed(text));
    return bytes ? "written" : bytes.error().message;
  };
  EXPECT_THAT(message("graph \"g\" { input x: float32[1] y: float32[1] = Relu(x) output y }"),
              HasSubstr("node 0 (Relu): found an op of ONNX"));
  EXPECT_THAT(message("graph \"g\" { input x: float32[1] y: float32[1] = tflite::HARD_SWISH(x) {alpha = 1.0} output y }"),
              HasSubstr("alpha"));
  EXPECT_THAT(message("graph \"g\" { input x: float8e5m2[1] y: float8e5m2[1] = tflite.custom::A(x) output y }"),
              HasSubstr("value 'x': found element type float8e5m2"));
  EXPECT_THAT(
      message("graph \"g\" { meta \"tflite.signature:s\" = \"{\\\"inputs\\\": [[\\\"x\\\", 7]], \\\"outputs\\\": []}\" input x: float32[1]"
              " y: float32[1] = tflite.custom::A(x) output y }"),
      HasSubstr("expected pairs of a name and a place below 1"));
}

/// A model of one FULLY_CONNECTED whose weights are stored in blocks of 4 rows, as converters prune them: rows of blocks are
/// dense, columns are compressed.
std::string sparse_model() {
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7, 8};  // two blocks of 4x1
  const std::vector<std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(values.data()),
                                        reinterpret_cast<const std::uint8_t*>(values.data() + values.size()));
  const std::vector<flatbuffers::Offset<fb::Buffer>> buffers = {fb::CreateBuffer(builder), fb::CreateBufferDirect(builder, &bytes)};
  const std::vector<std::int32_t> shape = {4, 3}, order = {0, 1, 2}, blocks = {0}, segments = {0, 2};
  const std::vector<std::uint8_t> columns = {0, 2};
  const std::vector<flatbuffers::Offset<fb::DimensionMetadata>> levels = {
      fb::CreateDimensionMetadata(builder, fb::DimensionType::DENSE, 1),
      fb::CreateDimensionMetadata(builder, fb::DimensionType::SPARSE_CSR, 0, fb::SparseIndexVector::Int32Vector,
                                  fb::CreateInt32VectorDirect(builder, &segments).Union(), fb::SparseIndexVector::Uint8Vector,
                                  fb::CreateUint8VectorDirect(builder, &columns).Union()),
      fb::CreateDimensionMetadata(builder, fb::DimensionType::DENSE, 4)};
  const auto sparsity = fb::CreateSparsityParametersDirect(builder, &order, &blocks, &levels);
  const std::vector<flatbuffers::Offset<fb::Tensor>> tensors = {
      fb::CreateTensorDirect(builder, &shape, fb::TensorType::FLOAT32, 1, "stored", 0, false, sparsity),
      fb::CreateTensorDirect(builder, &shape, fb::TensorType::FLOAT32, 0, "w")};
  const std::vector<std::int32_t> in = {0}, out = {1};
  const std::vector<flatbuffers::Offset<fb::Operator>> ops = {fb::CreateOperatorDirect(builder, 0, &in, &out)};
  const std::vector<std::int32_t> none;
  const std::vector<flatbuffers::Offset<fb::SubGraph>> graphs = {fb::CreateSubGraphDirect(builder, &tensors, &none, &out, &ops, "sparse")};
  const std::vector<flatbuffers::Offset<fb::OperatorCode>> codes = {
      fb::CreateOperatorCodeDirect(builder, 124, nullptr, 1, fb::BuiltinOperator::DENSIFY)};
  fb::FinishModelBuffer(builder, fb::CreateModelDirect(builder, 3, &codes, &graphs, nullptr, &buffers));
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

TEST(Tflite, SparseConstantsBecomeDense) {
  EXPECT_THAT(to_text(read(sparse_model())), HasSubstr("init w = float32[4, 3] {1, 0, 5, 2, 0, 6, 3, 0, 7, 4, 0, 8}"));
}

std::vector<std::filesystem::path> models_under(const char* root) {
  std::vector<std::filesystem::path> files;
  for (const char* folder : {"models", "mlperf_tiny"}) {
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(root) / folder)) {
      if (entry.path().extension() == ".tflite") files.push_back(entry.path());
    }
  }
  return files;
}

TEST(Tflite, RealModelsAreTheSameAfterWritingAndReading) {
  const char* root = std::getenv("MORU_TEST_DATA");
  if (root == nullptr) GTEST_SKIP() << "MORU_TEST_DATA is not set, expected the folder with models to read";
  const auto files = models_under(root);
  EXPECT_GE(files.size(), 10U);
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    const auto graph = load_tflite(file);
    ASSERT_TRUE(graph.has_value()) << graph.error().message;
    const std::string bytes = written(*graph);
    EXPECT_EQ(summary(read(bytes)), summary(*graph));
    EXPECT_EQ(written(read(bytes)), bytes);
    EXPECT_LE(bytes.size(), std::filesystem::file_size(file) * 11 / 10);
  }
}

}  // namespace
}  // namespace moru::model
