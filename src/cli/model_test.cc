// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/digest.h"
#include "core/json.h"
#include "core/process.h"
#include "model/formats/bundle/bundle.h"
#include "model/formats/bundle/model_card.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"
#include "trust/keys.h"

namespace moru::cli {
namespace {

using ::testing::HasSubstr;

struct ProgramRun {
  int code = -1;
  std::string output;  ///< stdout and stderr
};

ProgramRun run_moru(const std::vector<std::string>& arguments) {
  ProcessOptions options;
  options.arguments = {"sh", "-c", "exec \"$0\" \"$@\" 2>&1", MORU_PROGRAM};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  const auto run = run_and_capture(options, 60 * kSecond);
  if (!run) {
    ADD_FAILURE() << run.error().message;
    return {};
  }
  return {run->status.code, run->output};
}

class ModelShow : public ::testing::Test {
 protected:
  /// One convolution of 2 x 1 x 3 x 3 on 4 x 4 images and a product with 8 x 3 weights.
  std::string write_model() {
    auto graph = model::parse_text(R"(graph "net" {
  opset 13
  meta "producer" = "a test"
  input x: float32[N, 1, 4, 4]
  init w = float32[2, 1, 3, 3] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9}
  init g = float32[8, 3] {0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7}
  y = Conv(x, w) as conv1
  r = Relu(y)
  f = Flatten(r)
  z = Gemm(f, g)
  output z
})");
    EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().message);
    const Path path = folder_.path() / "net.onnx";
    EXPECT_TRUE(model::infer_shapes(*graph).has_value());
    EXPECT_TRUE(model::save_onnx(*graph, path).has_value());
    return path.string();
  }

  std::string write(const std::string& name, std::string_view bytes) {
    EXPECT_TRUE(write_file_atomic(folder_.path() / name, bytes).has_value());
    return (folder_.path() / name).string();
  }

  std::string write_bundle(const trust::SigningKey& key) {
    model::ModelCard card;
    card.name = "line";
    card.task = "image classification";
    card.inputs = {{"x", "float32", {{-1, "N"}, {4, ""}}}};
    card.outputs = {{"p", "float32", {{-1, "N"}, {2, ""}}}};
    card.labels = {"shirt", "bag\x1b[2J"};
    card.figures = {{"top1_int8", 0.915}};
    model::BundleHeader header;
    header.name = "line";
    header.version = 3;
    header.created = "2026-11-23T10:00:00Z";
    header.card = model::write_card(card);
    header.files = {{.name = "model.onnx", .target = "any", .format = "onnx"}};
    const auto bytes = model::write_bundle(header, {"not a model"}, [&](std::string_view message) { return key.sign(message); });
    EXPECT_TRUE(bytes.has_value());
    return write("line.moru", bytes.value_or(""));
  }

  TempFolder folder_ = *TempFolder::create("model-show");
};

TEST_F(ModelShow, CountsWhatAModelHolds) {
  const auto run = run_moru({"model", "show", write_model(), "--format", "json"});
  ASSERT_EQ(run.code, 0) << run.output;
  const auto json = parse_json(run.output, "output");
  ASSERT_TRUE(json.has_value()) << run.output;
  EXPECT_EQ((*json)["format"], "onnx");
  EXPECT_EQ((*json)["opset"], 13);
  EXPECT_EQ((*json)["inputs"], Json::parse(R"([{"name": "x", "dtype": "float32", "shape": ["N", 1, 4, 4]}])"));
  EXPECT_EQ((*json)["outputs"], Json::parse(R"([{"name": "z", "dtype": "float32", "shape": ["N", 3]}])"));
  EXPECT_EQ((*json)["ops"], Json::parse(R"({"Conv": 1, "Flatten": 1, "Gemm": 1, "Relu": 1})"));
  EXPECT_EQ((*json)["parameters"], 18 + 24);
  EXPECT_EQ((*json)["parameter_bytes"], 4 * (18 + 24));
  EXPECT_EQ((*json)["macs"], 2 * 2 * 2 * 9 + 3 * 8);
  EXPECT_EQ((*json)["quantisation"], "none");
  EXPECT_EQ((*json)["metadata"]["producer"], "a test");
}

TEST_F(ModelShow, SpeaksToPeople) {
  const auto run = run_moru({"model", "show", write_model()});
  ASSERT_EQ(run.code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("input         x: float32[N, 1, 4, 4]\n"));
  EXPECT_THAT(run.output, HasSubstr("ops           4 nodes: Conv 1, Flatten 1, Gemm 1, Relu 1\n"));
  EXPECT_THAT(run.output, HasSubstr("MACs          96\n"));
}

TEST_F(ModelShow, PrintsTheTextForm) {
  const auto run = run_moru({"model", "show", write_model(), "--text"});
  ASSERT_EQ(run.code, 0) << run.output;
  const auto graph = model::parse_text(run.output);
  ASSERT_TRUE(graph.has_value()) << graph.error().message << "\n" << run.output;
  EXPECT_EQ(graph->nodes().size(), 4U);
}

TEST_F(ModelShow, ShowsABundle) {
  const auto key = trust::SigningKey::generate();
  ASSERT_TRUE(key.has_value());
  const auto path = write_bundle(*key);
  const auto text = run_moru({"model", "show", path});
  ASSERT_EQ(text.code, 0) << text.output;
  EXPECT_THAT(text.output, HasSubstr("bundle line version 3"));
  EXPECT_THAT(text.output, HasSubstr("signature     not checked"));
  EXPECT_THAT(text.output, HasSubstr("labels        2: shirt, bag\xEF\xBF\xBD[2J\n"));
  const auto run = run_moru({"model", "show", path, "--format", "json"});
  ASSERT_EQ(run.code, 0) << run.output;
  const auto json = parse_json(run.output, "output");
  ASSERT_TRUE(json.has_value()) << run.output;
  EXPECT_EQ((*json)["version"], 3);
  EXPECT_EQ((*json)["card"]["figures"]["top1_int8"], 0.915);
  EXPECT_EQ((*json)["files"][0]["sha256"], sha256_hex("not a model"));
}

TEST_F(ModelShow, ChecksTheSignatureWithAKey) {
  const auto key = trust::SigningKey::generate();
  const auto other = trust::SigningKey::generate();
  ASSERT_TRUE(key.has_value() && other.has_value());
  const auto path = write_bundle(*key);
  const auto right = run_moru({"model", "show", path, "--key", write("right.pem", key->public_key().to_pem())});
  EXPECT_EQ(right.code, 0) << right.output;
  EXPECT_THAT(right.output, HasSubstr("signature     by key " + key->public_key().id()));
  const auto wrong = run_moru({"model", "show", path, "--key", write("wrong.pem", other->public_key().to_pem())});
  EXPECT_EQ(wrong.code, 2) << wrong.output;
}

TEST_F(ModelShow, SaysInOneSentenceWhatIsWrongWithAFile) {
  const auto one_sentence = [](const ProgramRun& run, std::string_view part) {
    EXPECT_EQ(run.code, 2) << run.output;
    EXPECT_THAT(run.output, HasSubstr(part));
    EXPECT_EQ(std::ranges::count(run.output, '\n'), 1) << run.output;
  };
  one_sentence(run_moru({"model", "show", (folder_.path() / "none.onnx").string()}), "No such file");
  one_sentence(run_moru({"model", "show", folder_.path().string()}), "found a folder");
  one_sentence(run_moru({"model", "show", write("text.onnx", "not a model")}), "not ONNX");
  one_sentence(run_moru({"model", "show", write("short.moru", "MORUBDL1")}), "cut short");
  const auto key = trust::SigningKey::generate();
  ASSERT_TRUE(key.has_value());
  const auto bytes = read_file(write_bundle(*key));
  ASSERT_TRUE(bytes.has_value());
  one_sentence(run_moru({"model", "show", write("flipped.moru", bytes->substr(0, bytes->size() - 1) + "L")}), "its bytes were changed");
}

}  // namespace
}  // namespace moru::cli
