// SPDX-License-Identifier: Apache-2.0
// TFLite models that lie: each is refused with a message that says where and what, and none ends the process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/formats/tflite/convert.h"
#include "model/formats/tflite/tflite.h"
#include "model/graph/text.h"
#include "tests/support/tflite_bytes.h"

namespace moru::model {
namespace {

using testing::HasSubstr;
namespace fb = moru::tflite_fb;

std::string valid_bytes() {
  const auto graph = parse_text(R"(graph "g" {
  meta "notes" = "kept"
  meta "tflite.signature:run" = "{\"inputs\": [[\"x\", 0]], \"outputs\": [[\"y\", 0]]}"
  input x: float32[1, 4, 4, 1]
  init w = float32[2, 3, 3, 1] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}
  init q: int8[2] quant {scales = [0.5, 0.25], zero_points = [1, 0], axis = 0} = int8[2] {1, 2}
  init shape = int32[2] {1, -1}
  a: float32[1, 2, 2, 2] = tflite::CONV_2D(x, w) {padding = "VALID", stride_h = 1, stride_w = 1}
  d: float32[2] = tflite::DEQUANTIZE(q)
  b: float32[1, 2, 2, 2] = tflite::ADD(a, d)
  c: float32[1, 2, 2, 2] = tflite.custom::Mine(b) {custom_options = "abc"}
  y: float32[1, 8] = tflite::RESHAPE(c, shape)
  output y
})");
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
  const auto bytes = write_tflite(*graph);
  EXPECT_TRUE(bytes.has_value()) << (bytes ? "" : bytes.error().message);
  return bytes.value_or("");
}

/// The error after a change to the valid model, as the objects of its layout; "read" when it is taken.
template <class Change>
std::string message_after(Change change) {
  const std::string valid = valid_bytes();
  const std::unique_ptr<fb::ModelT> model(fb::UnPackModel(valid.data()));
  change(*model);
  flatbuffers::FlatBufferBuilder builder;
  fb::FinishModelBuffer(builder, fb::Model::Pack(builder, model.get()));
  const auto graph = read_tflite({reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()}, "bad.tflite");
  if (graph) return "read";
  EXPECT_THAT(graph.error().message, testing::StartsWith("bad.tflite: "));
  EXPECT_NE(graph.error().code, ErrorCode::kInternal);
  return graph.error().message;
}

fb::SubGraphT& main_of(fb::ModelT& model) { return *model.subgraphs[0]; }
fb::TensorT& tensor(fb::ModelT& model, std::string_view name) {
  for (const auto& one : main_of(model).tensors) {
    if (one->name == name) return *one;
  }
  ADD_FAILURE() << "no tensor " << name;
  return *main_of(model).tensors[0];
}

TEST(TfliteBadInput, TheUnchangedModelIsRead) {
  EXPECT_EQ(message_after([](fb::ModelT&) {}), "read");
}

TEST(TfliteBadInput, NotAModel) {
  EXPECT_THAT(read_tflite("", "bad").error().message, HasSubstr("bad: found no file identifier TFL3"));
  EXPECT_THAT(read_tflite("this is text, not a model", "bad").error().message, HasSubstr("found no file identifier TFL3"));
  EXPECT_THAT(read_tflite(std::string("\xff\xff\xff\x7fTFL3", 8) + std::string(64, '\0'), "bad").error().message,
              HasSubstr("damaged layout"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { m.version = 4; }), HasSubstr("found version 4 of the format, expected 3"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { m.subgraphs.clear(); }), HasSubstr("found no graph"));
}

TEST(TfliteBadInput, IsRefusedWhenCutShort) {
  const std::string whole = valid_bytes();
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    const auto graph = read_tflite(std::string_view(whole).substr(0, size), "bad");
    ASSERT_FALSE(graph.has_value()) << "the first " << size << " of " << whole.size() << " bytes";
  }
}

TEST(TfliteBadInput, Indices) {
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).operators[0]->inputs[0] = 99; }),
              HasSubstr("op 0 (CONV_2D): found tensor 99, expected 0 to 8"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).operators[2]->outputs[0] = -7; }), HasSubstr("op 2 (ADD): found tensor -7"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).inputs[0] = 1000; }), HasSubstr("graph input: found tensor 1000"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).outputs[0] = -1; }), HasSubstr("graph output: found tensor -1"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).operators[1]->opcode_index = 50; }), HasSubstr("op 1: found operator code 50"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "w").buffer = 77; }), HasSubstr("('w'): found buffer 77"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { m.metadata[0]->buffer = 77; }), HasSubstr("metadata 'notes': found buffer 77"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { m.signature_defs[0]->inputs[0]->tensor_index = 3; }),
              HasSubstr("signature 'run': found tensor 3 as 'x'"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { m.signature_defs[0]->subgraph_index = 3; }),
              HasSubstr("signature 'run': found subgraph 3"));
}

TEST(TfliteBadInput, WhoMakesWhat) {
  EXPECT_THAT(message_after([](fb::ModelT& m) { std::swap(main_of(m).operators[0], main_of(m).operators[2]); }),
              HasSubstr("op 0 (ADD): found input tensor 4 ('a'), which an op behind it makes"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).operators[2]->outputs[0] = main_of(m).operators[0]->outputs[0]; }),
              HasSubstr("op 2 (ADD): found output tensor 4 ('a'), which something else makes too"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).operators[2]->outputs[0] = main_of(m).inputs[0]; }),
              HasSubstr("which something else makes too"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).operators[0]->inputs[0] = main_of(m).operators[0]->outputs[0]; }),
              HasSubstr("op 0 (CONV_2D): found input tensor 4 ('a'), which an op behind it makes"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).inputs.clear(); }),
              HasSubstr("tensor 0 ('x'): found a use of it, but nothing makes it"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).inputs.push_back(main_of(m).inputs[0]); }),
              HasSubstr("tensor 0 ('x'): found as an input twice"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).outputs.clear(); }), HasSubstr("found no outputs"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "a").buffer = tensor(m, "w").buffer; }), HasSubstr("which is a constant"));
}

TEST(TfliteBadInput, ShapesAndSizes) {
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "w").shape = {2, 3, 3, 2}; }), HasSubstr("('w'): "));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "w").shape = {-2, 3, 3, -1}; }), HasSubstr("('w'): found extent -2"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "w").shape = {0x7fffffff, 0x7fffffff, 0x7fffffff, 0x7fffffff}; }),
              HasSubstr("('w'): "));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "x").shape = {1, 4, 4, 1, 1}; }), HasSubstr("CONV_2D"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "x").shape = std::vector<std::int32_t>(20, 1); }),
              HasSubstr("('x'): found rank 20, expected at most 16"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "a").shape = {1, 2, 2, 3}; }),
              testing::AllOf(HasSubstr("CONV_2D"), HasSubstr("expected float32[1, 2, 2, 3] as declared")));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "x").shape_signature = {-1, 4}; }),
              HasSubstr("('x'): found a shape signature of rank 2, expected 4"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "x").shape_signature = {-1, 4, 4, 7}; }),
              HasSubstr("found extent 7 of axis 3 in the shape signature"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { m.buffers[tensor(m, "w").buffer]->data.resize(3); }), HasSubstr("('w'): "));
}

TEST(TfliteBadInput, TypesAndEnumerators) {
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "x").type = fb::TensorType::RESOURCE; }),
              HasSubstr("('x'): found element type RESOURCE"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "x").type = static_cast<fb::TensorType>(99); }),
              HasSubstr("('x'): found element type 99"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { tensor(m, "x").type = fb::TensorType::INT64; }), HasSubstr("CONV_2D"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { m.operator_codes[0]->builtin_code = static_cast<fb::BuiltinOperator>(4000); }),
              HasSubstr("op 0: found builtin op number 4000"));
  EXPECT_THAT(message_after(
                  [](fb::ModelT& m) { main_of(m).operators[0]->builtin_options.AsConv2DOptions()->padding = static_cast<fb::Padding>(7); }),
              HasSubstr("op 0 (CONV_2D): option 'padding': found number 7, expected that of one of SAME, VALID"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).operators[0]->builtin_options.Set(fb::AddOptionsT()); }),
              HasSubstr("op 0 (CONV_2D): found options of the kind AddOptions, expected Conv2DOptions"));
  EXPECT_THAT(message_after([](fb::ModelT& m) { main_of(m).operators[0]->builtin_options.AsConv2DOptions()->stride_h = 0; }),
              HasSubstr("CONV_2D): attribute 'stride_h': found 0, expected 1"));
}

TEST(TfliteBadInput, Quantization) {
  const auto with = [](auto change) { return message_after([&](fb::ModelT& m) { change(*tensor(m, "q").quantization); }); };
  EXPECT_THAT(with([](fb::QuantizationParametersT& q) { q.scale = {0.5F, 1, 2}; }), HasSubstr("('q'): found 3 scales and 2 zero points"));
  EXPECT_THAT(with([](fb::QuantizationParametersT& q) { q.scale = {0.5F, 1, 2}, q.zero_point = {0}; }),
              HasSubstr("found 3 scales, expected 2 as the extent of axis 0"));
  EXPECT_THAT(with([](fb::QuantizationParametersT& q) { q.quantized_dimension = 5; }), HasSubstr("found quantized dimension 5"));
  EXPECT_THAT(with([](fb::QuantizationParametersT& q) { q.scale[0] = std::nanf(""); }), HasSubstr("found scale nan"));
  EXPECT_THAT(with([](fb::QuantizationParametersT& q) { q.zero_point[0] = 1000; }),
              HasSubstr("found zero point 1000, expected one of type int8"));
  EXPECT_THAT(with([](fb::QuantizationParametersT& q) { q.details.Set(fb::BlockwiseQuantizationT()); }),
              HasSubstr("BlockwiseQuantization"));
}

TEST(TfliteBadInput, ZeroPointsThatAreNotAligned) {
  std::string bytes = valid_bytes();
  ASSERT_TRUE(misalign_zero_points(bytes, "q"));
  const auto graph = read_tflite(bytes, "m");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_THAT(to_text(*graph), HasSubstr("zero_points = [0, 0]"));
}

TEST(TfliteBadInput, Subgraphs) {
  EXPECT_THAT(message_after([](fb::ModelT& m) { m.subgraphs.push_back(std::make_unique<fb::SubGraphT>()); }),
              HasSubstr("subgraph 1 (''): found one that no op uses"));
  const auto with_while = [](std::int32_t condition, std::int32_t body) {
    return message_after([&](fb::ModelT& m) {
      fb::WhileOptionsT options;
      options.cond_subgraph_index = condition;
      options.body_subgraph_index = body;
      m.operator_codes.push_back(std::make_unique<fb::OperatorCodeT>());
      m.operator_codes.back()->builtin_code = fb::BuiltinOperator::WHILE;
      auto op = std::make_unique<fb::OperatorT>();
      op->opcode_index = static_cast<std::uint32_t>(m.operator_codes.size() - 1);
      op->builtin_options.Set(options);
      auto body_graph = std::make_unique<fb::SubGraphT>();
      body_graph->operators.push_back(std::make_unique<fb::OperatorT>(*op));
      main_of(m).operators.push_back(std::move(op));
      m.subgraphs.push_back(std::move(body_graph));
    });
  };
  EXPECT_THAT(with_while(7, 1), HasSubstr("(WHILE): option"));
  EXPECT_THAT(with_while(0, 1), HasSubstr("found subgraph 0, expected 1 to 1"));
  EXPECT_THAT(with_while(1, 1), HasSubstr("found subgraphs more than 64 deep"));
}

}  // namespace
}  // namespace moru::model
