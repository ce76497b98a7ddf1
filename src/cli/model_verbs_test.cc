// SPDX-License-Identifier: Apache-2.0
// `moru model run`, `compare`, `convert` and the parts of `show` that write files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "model/formats/npy/npy.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "tests/support/program.h"

namespace moru::cli {
namespace {

using model::Tensor;
using moru::testing::ProgramRun;
using ::testing::HasSubstr;

class ModelVerbs : public ::testing::Test {
 protected:
  static ProgramRun moru(const std::vector<std::string>& arguments) { return moru::testing::run_program("moru", arguments); }
  static Json json_of(const ProgramRun& run) {
    const auto json = parse_json(run.output, "output");
    EXPECT_TRUE(json.has_value()) << run.output;
    return json.value_or(Json());
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string write(const std::string& name, std::string_view bytes) {
    EXPECT_TRUE(write_file_atomic(path(name), bytes).has_value());
    return path(name);
  }
  std::string write_npy(const std::string& name, const Tensor& tensor) {
    EXPECT_TRUE(model::save_npy(tensor, path(name)).has_value());
    return path(name);
  }
  /// y = factor * x + bias, of three elements a sample.
  std::string write_model(const std::string& name, double factor = 2) {
    return write(name, fmt::format(R"(graph "line" {{
  opset 17
  input x: float32[N, 3]
  input bias: float32[3]
  init factor = float32[] {{{}}}
  scaled = Mul(x, factor)
  "a/y" = Add(scaled, bias)
  output "a/y"
}})",
                                   factor));
  }
  TempFolder folder_ = *TempFolder::create("model-verbs");
};

TEST_F(ModelVerbs, RunReadsAndWritesNumPyFiles) {
  const auto model = write_model("line.graph");
  const auto x = write_npy("x.npy", Tensor::of<float>({1, 3}, {1, 2, 3}));
  const auto bias = write_npy("b.npy", Tensor::of<float>({3}, {0, 0, 10}));
  const auto run = moru({"model", "run", model, "-i", "x=" + x, "-i", "bias=" + bias, "-o", path("out")});
  ASSERT_EQ(run.code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("output        a/y: float32[1, 3], 2 to 16, mean 7.33333, written to"));
  const auto y = model::load_npy(path("out/a_y.npy"));
  ASSERT_TRUE(y.has_value()) << y.error().message;
  EXPECT_THAT(y->data<float>(), ::testing::ElementsAre(2, 4, 16));
  ASSERT_TRUE(model::save_npz(
                  std::vector<model::NamedTensor>{{"bias", Tensor::of<float>({3}, {1, 1, 1})}, {"x", Tensor::of<float>({1, 3}, {0, 0, 0})}},
                  path("in.npz"))
                  .has_value());
  const auto again = moru({"model", "run", model, "-i", path("in.npz"), "--format", "json"});
  ASSERT_EQ(again.code, 0) << again.output;
  EXPECT_EQ(json_of(again)["outputs"][0]["max"], 1.0);
  EXPECT_TRUE(json_of(again)["outputs"][0]["file"].is_null());
}

TEST_F(ModelVerbs, RunFillsTheRestWithSeededNumbers) {
  const auto model = write_model("line.graph");
  const auto bias = write_npy("b.npy", Tensor::of<float>({3}, {0, 0, 0}));
  const auto once = moru({"model", "run", model, "--random", "5", "--batch", "4", "-i", "bias=" + bias, "--format", "json"});
  ASSERT_EQ(once.code, 0) << once.output;
  EXPECT_EQ(json_of(once)["outputs"][0]["shape"], Json::parse("[4, 3]"));
  EXPECT_EQ(moru({"model", "run", model, "--random", "5", "--dim", "N=4", "-i", "bias=" + bias, "--format", "json"}).output, once.output);
  EXPECT_NE(moru({"model", "run", model, "--random", "6", "--dim", "N=4", "-i", "bias=" + bias, "--format", "json"}).output, once.output);
}

TEST_F(ModelVerbs, RunSaysWhichInputIsWrong) {
  const auto model = write_model("line.graph");
  const auto x = write_npy("x.npy", Tensor::of<float>({1, 3}, {1, 2, 3}));
  const auto expect = [&](const std::vector<std::string>& more, std::string_view part) {
    std::vector<std::string> arguments = {"model", "run", model};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto run = moru(arguments);
    EXPECT_EQ(run.code, 2) << run.output;
    EXPECT_THAT(run.output, HasSubstr(part));
  };
  expect({}, "input x: float32 [N, 3]: found nothing for it");
  expect({"-i", "x=" + x}, "input bias: float32 [3]: found nothing for it");
  expect({"-i", "bios=" + x}, "found no such input of the model (did you mean 'bias'?), expected one of: x, bias");
  expect({"-i", "x=" + x, "-i", "x=" + x}, "found it twice");
  expect({"-i", "x=" + path("none.npy")}, "none.npy");
  expect({"-i", "x=image.png"}, "expected .npy or .npz");
  expect({"-i", "x=" + x, "-i", "bias=" + x}, "'bias'");
  expect({"--random", "1", "--dim", "M=3"}, "dimension 'M'");
  expect({"--random", "1", "--dim", "N=0"}, "--dim: found 'N=0'");
  expect({"--random", "1", "--max-memory", "12Q"}, "--max-memory: found '12Q'");
  expect({"--random", "1", "--backend", "referense"}, "did you mean 'reference'");
}

TEST_F(ModelVerbs, CompareMeasuresEachOutput) {
  const auto a = write_model("a.graph", 2);
  const auto b = write_model("b.graph", 2.5);
  const auto same = moru({"model", "compare", a, a, "--samples", "3"});
  ASSERT_EQ(same.code, 0) << same.output;
  EXPECT_THAT(same.output, HasSubstr("3 seeded runs: the same bits"));
  const auto x = write_npy("x.npy", Tensor::of<float>({2, 3}, {1, 2, 3, 2, 0, 0}));
  const auto bias = write_npy("b.npy", Tensor::of<float>({3}, {0, 0, 0}));
  const auto other = moru({"model", "compare", a, b, "--data", "x=" + x, "--data", "bias=" + bias, "--format", "json"});
  ASSERT_EQ(other.code, 0) << other.output;
  const Json json = json_of(other);
  EXPECT_EQ(json["max_error"], 1.5);
  EXPECT_EQ(json["outputs"][0]["output"], "a/y");
  EXPECT_EQ(json["outputs"][0]["argmax_agreement"], 1.0);
  EXPECT_EQ(json["outputs"][0]["samples"], 2);
  EXPECT_DOUBLE_EQ(json["outputs"][0]["nmse"].get<double>(), 0.0625);
}

TEST_F(ModelVerbs, CompareEndsWithThreeBeyondTheAllowedError) {
  const auto a = write_model("a.graph", 2);
  const auto b = write_model("b.graph", 2.5);
  const auto x = write_npy("x.npy", Tensor::of<float>({1, 3}, {1, 2, 3}));
  const auto bias = write_npy("b.npy", Tensor::of<float>({3}, {0, 0, 0}));
  const std::vector<std::string> compare = {"model", "compare", a, b, "--data", "x=" + x, "--data", "bias=" + bias, "--max-error"};
  auto strict = compare;
  strict.emplace_back("1.4");
  const auto failed = moru(strict);
  EXPECT_EQ(failed.code, 3) << failed.output;
  EXPECT_THAT(failed.output, HasSubstr("found max error 1.5, expected at most 1.4"));
  auto loose = compare;
  loose.emplace_back("1.5");
  EXPECT_EQ(moru(loose).code, 0);
}

TEST_F(ModelVerbs, CompareTakesManyRunsFromOneFile) {
  // A port of a fixed batch: the first axis of the data counts runs.
  const auto model = write("fixed.graph", "graph \"g\" {\n  input x: float32[1, 2, 2]\n  y = Relu(x)\n  output y\n}");
  std::vector<float> values(20, 1.0F);
  for (const auto& dims : {model::Dims{5, 2, 2}, model::Dims{5, 1, 2, 2}}) {
    const auto data = write_npy("x.npy", Tensor::of<float>(dims, std::span<const float>(values)));
    const auto run = moru({"model", "compare", model, model, "--data", data, "--format", "json"});
    ASSERT_EQ(run.code, 0) << run.output;
    EXPECT_EQ(json_of(run)["inputs"], "5 runs of data");
  }
  const auto wrong = write_npy("x.npy", Tensor::of<float>({4, 5}, std::span<const float>(values)));
  const auto run = moru({"model", "compare", model, model, "--data", wrong});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_THAT(run.output, HasSubstr("found float32 [4, 5], expected its type and shape, or several"));
}

TEST_F(ModelVerbs, CompareRefusesModelsOfAnotherKind) {
  const auto a = write_model("a.graph");
  const auto b = write("b.graph", "graph \"g\" {\n  input x: float32[1, 3]\n  y = Relu(x)\n  output y\n}");
  const auto run = moru({"model", "compare", a, b});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_THAT(run.output, HasSubstr("found 1 inputs, expected 2"));
}

TEST_F(ModelVerbs, ConvertWritesWhatTheSuffixSaysAndProvesIt) {
  const auto text = write_model("line.graph");
  const auto there = moru({"model", "convert", text, "-o", path("line.onnx"), "--opset", "21", "--max-error", "0"});
  ASSERT_EQ(there.code, 0) << there.output;
  EXPECT_THAT(there.output, HasSubstr("the same bits"));
  EXPECT_EQ(model::load_onnx(path("line.onnx")).value().opset, 21);
  const auto back = moru({"model", "convert", path("line.onnx"), "-o", path("back.graph"), "--format", "json"});
  ASSERT_EQ(back.code, 0) << back.output;
  EXPECT_EQ(json_of(back)["parity"]["same_bits"], true);
  EXPECT_EQ(json_of(back)["met"], true);
  const auto graph = model::parse_text(read_file(path("back.graph")).value_or(""));
  ASSERT_TRUE(graph.has_value());
  EXPECT_EQ(graph->nodes().size(), 2U);
}

TEST_F(ModelVerbs, ConvertRefusesWhatItCannotWrite) {
  const auto model = write_model("line.graph");
  const auto suffix = moru({"model", "convert", model, "-o", path("line.pb")});
  EXPECT_EQ(suffix.code, 2) << suffix.output;
  EXPECT_THAT(suffix.output, HasSubstr("expected a model file that ends in one of .onnx, "));
  const auto opset = moru({"model", "convert", model, "-o", path("line.onnx"), "--opset", "5"});
  EXPECT_EQ(opset.code, 2) << opset.output;
  EXPECT_FALSE(std::filesystem::exists(path("line.onnx")));
}

TEST_F(ModelVerbs, ShowDrawsThePicture) {
  const auto model = write_model("line.graph");
  const auto run = moru({"model", "show", model, "--svg", path("line.svg")});
  ASSERT_EQ(run.code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("activations   36 B at most at once, at node 0 (Mul)"));
  const auto svg = read_file(path("line.svg"));
  ASSERT_TRUE(svg.has_value());
  EXPECT_THAT(*svg, HasSubstr(">Mul<"));
}

TEST_F(ModelVerbs, ShowCountsWithTheNumbersGiven) {
  const auto model = write_model("line.graph");
  const auto run = moru({"model", "show", model, "--dim", "N=10", "--format", "json"});
  ASSERT_EQ(run.code, 0) << run.output;
  EXPECT_EQ(json_of(run)["activation_bytes"], 4 * (30 + 30 + 3));
  EXPECT_EQ(json_of(run)["inputs"][0]["shape"], Json::parse("[\"N\", 3]"));
  const auto wrong = moru({"model", "show", model, "--dim", "M=10"});
  EXPECT_EQ(wrong.code, 2) << wrong.output;
  EXPECT_THAT(wrong.output, HasSubstr("dimension 'M'"));
}

TEST_F(ModelVerbs, ReadingKeepsToTheLimit) {
  const auto run = moru({"model", "show", write_model("line.graph"), "--max-memory", "100"});
  EXPECT_EQ(run.code, 1) << run.output;
  EXPECT_THAT(run.output, HasSubstr("line.graph"));
}

TEST_F(ModelVerbs, ShowPrintsTextWhateverTheFileHolds) {
  const auto model = write("meta.graph", "graph \"g\" {\n  meta \"file\" = \"\\x84\\x00" + std::string(500, 'm') +
                                             "\"\n  input x: float32[1, 3]\n  y = Relu(x)\n  output y\n}");
  const auto run = moru({"model", "show", model});
  ASSERT_EQ(run.code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("metadata      file = \xEF\xBF\xBD\xEF\xBF\xBDmmm"));
  EXPECT_EQ(run.output.find(std::string(121, 'm')), std::string::npos);
}

TEST_F(ModelVerbs, ConvertChangesFormatsAndListsWhatItChanged) {
  const auto text = write("net.graph", R"(graph "net" {
  input x: float32[1, 2]
  init s = float32[] {0.5}
  init z = int8[] {-3}
  init zw = int8[] {1}
  init w = int8[2, 2] {1, 2, 3, -4}
  xq = QuantizeLinear(x, s, z)
  xd = DequantizeLinear(xq, s, z)
  wd = DequantizeLinear(w, s, zw)
  y = MatMul(xd, wd)
  yq = QuantizeLinear(y, s, z)
  yd = DequantizeLinear(yq, s, z)
  output yd
})");
  const auto there = moru({"model", "convert", text, "-o", path("net.tflite"), "--format", "json"});
  ASSERT_EQ(there.code, 0) << there.output;
  EXPECT_EQ(json_of(there)["changes"], Json::parse("[\"'w': asymmetric int8 weights, requantised to zero point 0\"]"));
  // Opsets are of ONNX.
  EXPECT_THAT(moru({"model", "show", path("net.tflite")}).output, HasSubstr("net.tflite: TFLite, "));
  EXPECT_EQ(json_of(moru({"model", "show", path("net.tflite"), "--format", "json"}))["opset"], Json());
  const auto back = moru({"model", "convert", path("net.tflite"), "-o", path("back.onnx"), "--exact", "--max-error", "0.5"});
  EXPECT_EQ(back.code, 0) << back.output;
  const auto refused = moru({"model", "convert", text, "-o", path("exact.tflite"), "--exact"});
  EXPECT_EQ(refused.code, 2) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("asymmetric int8 weights"));
  EXPECT_FALSE(std::filesystem::exists(path("exact.tflite")));
}

}  // namespace
}  // namespace moru::cli
