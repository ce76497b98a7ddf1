// SPDX-License-Identifier: Apache-2.0
#include "model/formats/formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

using testing::HasSubstr;

Graph small_graph() {
  auto graph = parse_text(R"(graph "small" {
  opset 17
  input x: float32[N, 2]
  init w = float32[2, 1] {1, 2}
  y = MatMul(x, w)
  z = Relu(y)
  output z
})");
  EXPECT_TRUE(graph.has_value());
  EXPECT_TRUE(infer_shapes(*graph).has_value());
  return std::move(*graph);
}

class Formats : public testing::Test {
 protected:
  TempFolder folder_ = *TempFolder::create("formats-test");
};

TEST_F(Formats, EachGivesTheSameGraphBack) {
  const Graph graph = small_graph();
  for (const FileFormat& format : file_formats()) {
    if (format.words == "tflite") continue;
    const Path path = folder_.path() / ("model" + std::string(format.suffix));
    ASSERT_TRUE(save_model(graph, path).has_value()) << format.name;
    const auto again = load_model(path);
    ASSERT_TRUE(again.has_value()) << again.error().message;
    EXPECT_EQ(to_text(*again), to_text(graph)) << format.name;
  }
}

TEST_F(Formats, SuffixesMayBeInCapitals) { EXPECT_EQ(format_of("NET.ONNX").value()->name, "onnx"); }

TEST_F(Formats, AnUnknownSuffixIsToldTheKnownOnes) {
  for (const char* name : {"net.pb", "net", "net.onnx.bak", ".onnx"}) {
    const auto loaded = load_model(folder_.path() / name);
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(loaded.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(loaded.error().message, HasSubstr("expected a model file that ends in one of .onnx"));
    EXPECT_FALSE(save_model(small_graph(), folder_.path() / name).has_value());
  }
}

TEST_F(Formats, OpsetsAreForFormatsThatHaveThem) {
  const Path path = folder_.path() / "model.onnx";
  ASSERT_TRUE(save_model(small_graph(), path, {.opset = 21}).has_value());
  EXPECT_EQ(load_model(path).value().opset, 21);
  const auto text = save_model(small_graph(), folder_.path() / "model.graph", {.opset = 21});
  ASSERT_FALSE(text.has_value());
  EXPECT_EQ(text.error().code, ErrorCode::kUnsupported);
}

TEST_F(Formats, BadTextIsAnErrorWithTheFilesName) {
  const Path path = folder_.path() / "bad.graph";
  ASSERT_TRUE(write_file_atomic(path, "graph \"x\" {\n  y = Conv(x)\n}").has_value());
  const auto loaded = load_model(path);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_THAT(loaded.error().message, HasSubstr("bad.graph': 2:"));
  EXPECT_EQ(load_model(path, {.max_memory_bytes = 100}).error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace moru::model
