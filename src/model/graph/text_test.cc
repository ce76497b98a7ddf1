// SPDX-License-Identifier: Apache-2.0
#include "model/graph/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "core/random.h"

namespace moru::model {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kEverything = R"(graph "tiny \"net\"" {
  opset 13
  meta "producer" = "moru"
  meta "labels" = "a\nb\t\x01"
  input x: float32[N, 1, 28, ?]
  input "onnx::weird name": float32[*]
  init w = float32[2, 1, 1, 1] {0.1, -0}
  init empty = int64[0] {}
  init flag = bool[2] {true, false}
  y: float32[N, 2, 28, ?] = Conv(x, w, _) {dilations = [1, 1], group = 1, kernel_shape = [1, 1]} as conv1
  z, _, "_" = Mystery(y, "onnx::weird name") {a = 1.0, b = "s", c = [0.5, 1e-05], d = ["p", "q"], e = ints[], f = floats[], g = strings[], h = int8[2] {-1, 1}}
  "output": ?[3] = com.example::Other() as "as"
  output z
  output "output"
}
)";

TEST(Text, RoundTripOfEveryConstruct) {
  const auto graph = parse_text(kEverything);
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_EQ(to_text(*graph), kEverything);
  EXPECT_EQ(graph->name, "tiny \"net\"");
  EXPECT_EQ(graph->metadata[1].second, "a\nb\t\x01");
  EXPECT_EQ(graph->nodes()[0].inputs[2], kNoValue);
  EXPECT_EQ(graph->nodes()[1].outputs[1], kNoValue);
  EXPECT_EQ(graph->nodes()[2].domain, "com.example");
  EXPECT_EQ(graph->nodes()[2].name, "as");
  EXPECT_FALSE(graph->value(graph->inputs[1]).type.shape.has_value());
  const Attributes& attributes = graph->nodes()[1].attributes;
  EXPECT_EQ(std::get<float>(attributes.at("a")), 1.0F);
  EXPECT_THAT(std::get<std::vector<float>>(attributes.at("c")), ElementsAre(0.5F, 1e-5F));
  EXPECT_TRUE(std::holds_alternative<std::vector<float>>(attributes.at("f")));
  EXPECT_EQ(std::get<Tensor>(attributes.at("h")).dtype(), DType::kInt8);
}

TEST(Text, BlanksAndCommentsDoNotMatter) {
  const auto graph = parse_text("graph \"g\"{input x:float32[2]#c }\n y=Relu(x)output y}");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_EQ(to_text(*graph), "graph \"g\" {\n  opset 13\n  input x: float32[2]\n  y = Relu(x)\n  output y\n}\n");
}

TEST(Text, FloatsKeepTheirBits) {
  Rng rng(7);
  std::vector<float> floats = {
      0.0F, -0.0F, INFINITY, -INFINITY, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::max(), NAN};
  std::vector<double> doubles = {-0.0, std::numeric_limits<double>::denorm_min(), std::bit_cast<double>(0xfff0000000000001ULL)};
  for (int i = 0; i < 2000; ++i) {
    floats.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(rng.next())));
    doubles.push_back(std::bit_cast<double>(rng.next()));
  }
  const Tensor a = Tensor::of<float>({std::ssize(floats)}, floats);
  const Tensor b = Tensor::of<double>({std::ssize(doubles)}, doubles);
  for (const Tensor& tensor : {a, b}) {
    const auto back = parse_tensor_text(to_text(tensor));
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_TRUE(same_bits(*back, tensor));
  }
}

TEST(Text, EveryElementTypeRoundTrips) {
  for (const std::string_view text : {"int8[2] {-128, 127}",
                                      "uint8[1] {255}",
                                      "int16[1] {-32768}",
                                      "uint16[1] {65535}",
                                      "int32[1] {-2147483648}",
                                      "uint32[1] {4294967295}",
                                      "int64[2] {-9223372036854775808, 9223372036854775807}",
                                      "uint64[1] {18446744073709551615}",
                                      "bool[] {true}",
                                      "float64[1, 1] {0.1}",
                                      "float32[0, 3] {}",
                                      "float16[4] {0.099975586, -inf, nan, nan(0x7e01)}",
                                      "bfloat16[2] {-0, 3}",
                                      "float8e4m3fn[3] {448, -0.001953125, nan(0xff)}",
                                      "float8e4m3fnuz[2] {240, nan}",
                                      "float8e5m2[2] {inf, nan(0x7d)}",
                                      "float8e5m2fnuz[1] {57344}",
                                      "complex64[2] {(1, -0.5), (nan, inf)}",
                                      "complex128[1] {(0.1, 2)}",
                                      "int4[3] {-8, 7, 0}",
                                      "uint4[2] {15, 0}",
                                      "string[3] {\"a\\\"b\", \"\", \"\\x00\"}",
                                      "string[0] {}"}) {
    const auto tensor = parse_tensor_text(text);
    ASSERT_TRUE(tensor.has_value()) << tensor.error().message;
    EXPECT_EQ(to_text(*tensor), text);
  }
}

TEST(Text, EveryPatternOfASmallFloatRoundTrips) {
  for (const DType dtype :
       {DType::kFloat16, DType::kBFloat16, DType::kFloat8E4M3FN, DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2, DType::kFloat8E5M2FNUZ}) {
    const std::size_t size = element_size(dtype).value();
    const std::size_t patterns = std::size_t{1} << (8 * size);
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < patterns; ++i) {
      bytes.push_back(static_cast<std::byte>(i & 0xFFU));
      if (size == 2) bytes.push_back(static_cast<std::byte>(i >> 8U));
    }
    const Tensor tensor = Tensor::from_bytes(dtype, {static_cast<std::int64_t>(patterns)}, bytes).value();
    const auto back = parse_tensor_text(to_text(tensor));
    ASSERT_TRUE(back.has_value()) << back.error().message;
    EXPECT_TRUE(same_bits(*back, tensor)) << to_string(dtype);
  }
}

constexpr std::string_view kQuantized = R"(graph "q" {
  opset 22
  input x: int8[N, 4] quant {scales = [0.5], zero_points = [-3], axis = 0}
  input quant: float32[2]
  init w: int8[2, 1] quant {scales = [0.1, 1e-05], zero_points = [0, 0], axis = 1} = int8[2, 1] {1, 2}
  y: ?[*] quant {scales = [], zero_points = [], axis = 0} = Relu(x)
  output y
}
)";

TEST(Text, QuantisedTypesRoundTrip) {
  std::string text(kQuantized);
  text.replace(text.find("input quant"), 11, "input \"quant\"");
  const auto graph = parse_text(text);
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_EQ(to_text(*graph), text);
  const ValueType& w = graph->value(*graph->find_value("w")).type;
  ASSERT_TRUE(w.quantization.has_value());
  EXPECT_EQ(*w.quantization, (Quantization{{0.1F, 1e-5F}, {0, 0}, 1}));
  EXPECT_EQ(w.dtype, DType::kInt8);
  EXPECT_THAT(parse_text(kQuantized).error().message, StartsWith("4:9: found quant, expected the name"));
}

constexpr std::string_view kNested = R"(graph "outer" {
  opset 22
  input c: bool[]
  input x: float32[2]
  init w = float32[2] {1, 2}
  y = If(c) {else_branch = graph "else" (x, w) {
    opset 22
    input a: float32[2]
    input x: float32[2]
    y = Add(a, x)
    output y
  }, note = "s", then_branch = graph "then" {
    opset 22
    init k = bool[] {true}
    z = If(k) {then_branch = graph "" (k) {
      opset 22
      input k: bool[]
      output k
    }}
    output z
  }} as branch
  output y
}
)";

TEST(Text, NodesWithoutResultsRoundTrip) {
  const std::string text =
      "graph \"g\" {\n  opset 13\n  input x: float32[1]\n  = tflite::ASSIGN_VARIABLE(x)\n  y = Relu(x)\n  output y\n}\n";
  const auto graph = parse_text(text);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(graph->nodes()[0].outputs.empty());
  EXPECT_EQ(to_text(*graph), text);
}

TEST(Text, BodiesRoundTripWithWhatTheyCapture) {
  const auto graph = parse_text(kNested);
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_EQ(to_text(*graph), kNested);
  const auto& branch = std::get<Subgraph>(graph->nodes()[0].attributes.at("else_branch"));
  EXPECT_THAT(branch.captures, ElementsAre(*graph->find_value("x"), *graph->find_value("w")));
  EXPECT_EQ(branch.graph->inputs.size(), 2U);
}

TEST(Text, BodiesAreNoDeeperThanTheLimit) {
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "graph \"g\" { y = If() {then_branch = ";
    text += "graph \"g\" { }";
    for (int i = 0; i < depth; ++i) text += "} }";
    return text;
  };
  EXPECT_TRUE(parse_text(nested(kMaxGraphDepth)).has_value());
  EXPECT_THAT(parse_text(nested(kMaxGraphDepth + 1)).error().message, HasSubstr("expected graphs no deeper than 64"));
  EXPECT_FALSE(parse_text(nested(100'000)).has_value());
}

TEST(Text, BigInitializersCanBeLeftOut) {
  Graph graph;
  graph.outputs = {graph.add_initializer("w", Tensor::of<float>({3}, {1, 2, 3}))};
  const std::string text = to_text(graph, {.max_elements = 2});
  EXPECT_THAT(text, HasSubstr("init w = float32[3] <sha256 "));
  const auto back = parse_text(text);
  ASSERT_FALSE(back.has_value());
  EXPECT_THAT(back.error().message, HasSubstr("values of this tensor were left out"));
}

struct BadInput {
  std::string_view text;
  std::string_view message;
};

TEST(Text, BadInputIsRefusedWithLineAndColumn) {
  const std::vector<BadInput> cases = {
      {"", "1:1: found the end of the text, expected 'graph'"},
      {"graph g {}", "1:7: found g, expected a string in quotes"},
      {"graph \"g\" {", "1:12: found the end of the text, expected '}' at the end of the graph"},
      {"graph \"g\" {} x", "1:14: found x, expected the end of the text"},
      {"graph \"g", "1:7: found a string without end"},
      {"graph \"g\\q\"", "1:7: found an unknown escape"},
      {"graph \"g\\x0z\"", "1:7: found a bad \\x escape"},
      {"graph \"g\" { \x01", "1:13: found byte 0x01"},
      {"graph \"g\" {\n input x\n input x }", "3:8: found a second value 'x', expected a new name"},
      {"graph \"g\" {\n y = Relu(x) }", "2:11: found 'x', expected a value that is made above"},
      {"graph \"g\" {\n y = Relu(y) }", "2:11: found 'y', expected a value that is made above"},
      {"graph \"g\" { input \"\" }", "1:19: found an empty name"},
      {"graph \"g\" { output y }", "1:20: found 'y'"},
      {"graph \"g\" { input x: float[2] }", "1:22: found float, expected an element type"},
      {"graph \"g\" { input x: float32[-2] }", "1:30: found -2, expected an extent of 0 or more"},
      {"graph \"g\" { input x: float32[99999999999999999999] }", "1:30: found 99999999999999999999, expected an extent of 0 or more"},
      {"graph \"g\" { init w = float32[2] {1} }", "1:33: found 1 elements, expected 2"},
      {"graph \"g\" { init w = float32[9999999, 9999999] {1} }", "1:48: shape [9999999, 9999999]"},
      {"graph \"g\" { init w = int8[1] {128} }", "1:31: found 128, expected a whole number that fits"},
      {"graph \"g\" { init w = uint8[1] {-1} }", "1:32: found -1"},
      {"graph \"g\" { init w = int8[1] {nan} }", "1:31: found nan"},
      {"graph \"g\" { init w = float32[1] {1e99} }", "1:34: found 1e99, expected a number that fits"},
      {"graph \"g\" { init w = float32[1] {1x} }", "1:34: found 1x"},
      {"graph \"g\" { init w = bool[1] {1} }", "1:31: found 1, expected true"},
      {"graph \"g\" { init w = float32[1] {nan(0x1)} }", "1:38: found 0x1, expected the bits of a NaN"},
      {"graph \"g\" { init w = float32[1] {nan(0x)} }", "1:38: found 0x, expected the bits of a NaN"},
      {"graph \"g\" { y = Op() {a = 1, a = 2} }", "1:30: found a second attribute 'a'"},
      {"graph \"g\" { y = Op() {a = []} }", "1:28: found ']', expected an element; an empty list has its kind in front"},
      {"graph \"g\" { y = Op() {a = [1, 1.0]} }", "1:31: found an element of another kind"},
      {"graph \"g\" { y = Op() {a = [[[[1]]]]} }", "1:28: found '[', expected an int"},
      {"graph \"g\" { y = Op() {a = [int8[1] {1}]} }", "1:28: found int8, expected an int, a float or a string"},
      {"graph \"g\" { y = Op() {a} }", "1:24: found '}', expected '='"},
      {"graph \"g\" { as = Op() }", "1:13: found as, expected opset, meta, input, init, output or a node"},
      {"graph \"g\" { y = Op() {a = what} }", "1:27: found what, expected an int"},
      {"graph \"g\" { y = Op() {a = ints[1]} }", "1:32: found 1, expected ']'"},
      {"graph \"g\" { opset -1 }", "1:19: found -1, expected an opset number"},
      {"graph \"g\" { y = Op( }", "1:21: found '}', expected the name"},
      {"graph \"g\" { quant = Op() }", "1:13: found quant, expected opset"},
      {"graph \"g\" { input x: int8[1] quant {scales = [1], zero_points = [], axis = 0} }", "1:30: found 1 scales and 0 zero points"},
      {"graph \"g\" { input x: int8[1] quant {scales = [1], zero_points = [0], axis = 9999999999} }", "1:30: found axis 9999999999"},
      {"graph \"g\" { input x: int8[1] quant {axis = 0} }", "1:37: found axis, expected 'scales'"},
      {"graph \"g\" { init w = float16[1] {70000} }", "1:34: found 70000, expected a number that fits"},
      {"graph \"g\" { init w = float8e4m3fn[1] {inf} }", "1:39: found inf, expected a number that fits"},
      {"graph \"g\" { init w = int4[1] {8} }", "1:30: element 0: found 8"},
      {"graph \"g\" { init w = string[1] {a} }", "1:33: found a, expected a string"},
      {"graph \"g\" { init w = string[2] {\"a\"} }", "1:32: tensor [2] of string: found 1 strings"},
      {"graph \"g\" { init w = complex64[1] {1} }", "1:36: found 1, expected '('"},
      {"graph \"g\" (x) { }", "1:11: found '(', expected '{'"},
      {"graph \"g\" { y = If() {a = graph \"b\" (x) {}} }", "1:38: found 'x', expected a value that is made above"},
      {"graph \"g\" { input x y = If() {a = graph \"b\" (x) {}} }", "1:35: found 1 captured values and 0 inputs"}};
  for (const BadInput& bad : cases) {
    SCOPED_TRACE(bad.text);
    const auto graph = parse_text(bad.text);
    ASSERT_FALSE(graph.has_value());
    EXPECT_EQ(graph.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(graph.error().message, StartsWith(bad.message));
  }
}

TEST(Text, EveryPrefixIsRefusedWithoutHarm) {
  for (std::size_t size = 0; size + 2 < kEverything.size(); ++size)
    EXPECT_FALSE(parse_text(kEverything.substr(0, size)).has_value()) << size;
}

TEST(Text, FlippedBytesAreReadOrRefused) {
  Rng rng(3);
  for (int round = 0; round < 3000; ++round) {
    std::string text(kEverything);
    for (int i = 0; i < 3; ++i) text[rng.below(text.size())] = static_cast<char>(rng.below(256));
    const auto graph = parse_text(text);
    if (!graph) {
      EXPECT_EQ(graph.error().code, ErrorCode::kInvalidArgument) << graph.error().message;
      continue;
    }
    const std::string written = to_text(*graph);
    const auto again = parse_text(written);
    ASSERT_TRUE(again.has_value()) << again.error().message << "\n" << written;
    EXPECT_EQ(to_text(*again), written);
  }
}

}  // namespace
}  // namespace moru::model
