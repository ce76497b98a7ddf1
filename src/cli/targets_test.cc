// SPDX-License-Identifier: Apache-2.0
// `moru targets`, `moru model check`, `moru model partition` and `moru model convert --target`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "core/json.h"
#include "model/formats/onnx/onnx.h"
#include "tests/support/program.h"

namespace moru::cli {
namespace {

using moru::testing::ProgramRun;
using ::testing::HasSubstr;

class Targets : public ::testing::Test {
 protected:
  static ProgramRun moru(const std::vector<std::string>& arguments) { return moru::testing::run_program("moru", arguments); }
  static Json json_of(const ProgramRun& run) {
    const auto json = parse_json(run.output, "output");
    EXPECT_TRUE(json.has_value()) << run.output;
    return json.value_or(Json());
  }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  bool exists(const std::string& name) const { return std::filesystem::exists(folder_.path() / name); }
  std::string write(const std::string& name, std::string_view bytes) {
    EXPECT_TRUE(write_file_atomic(path(name), bytes).has_value());
    return path(name);
  }
  /// Two products with an op between them that the target below does not have.
  std::string write_model() {
    return write("net.graph", R"(graph "net" {
  opset 18
  input x: float32[N, 2]
  init w = float32[2, 2] {1, 2, -3, 4}
  init v = float32[2, 3] {1, 2, 3, 4, 5, 6}
  a = MatMul(x, w) as first
  b = Elu(a) as middle
  c = MatMul(b, v) as last
  y = Relu(c)
  output y
})");
  }
  std::string write_target(const std::string& extra = "fallback: [any]") {
    return write("mine.yaml",
                 "apiVersion: moru.dev/v1\nkind: Target\nmetadata: {name: mine}\nspec:\n  doc: a test\n  runtime: none\n"
                 "  formats: [onnx]\n  opsets: {min: 7, max: 15}\n  static_shapes: true\n  ops: [{ops: [MatMul, Relu]}]\n"
                 "  instead: {Elu: use Relu}\n  " +
                     extra + "\n");
  }
  TempFolder folder_ = *TempFolder::create("targets-cli");
};

TEST_F(Targets, ListsDevicesAndPrintsOneAsAFileToStartFrom) {
  const auto list = moru({"targets"});
  EXPECT_EQ(list.code, 0) << list.output;
  EXPECT_THAT(list.output, HasSubstr("coral-edgetpu     tflite"));
  const auto one = moru({"targets", "cortex-m"});
  EXPECT_EQ(one.code, 0) << one.output;
  const auto mine = write("copy.yaml", one.output);
  const auto checked = moru({"targets", mine});
  EXPECT_EQ(checked.code, 0) << checked.output;
  EXPECT_THAT(checked.output, HasSubstr("no mistakes"));
  EXPECT_GE(json_of(moru({"targets", "--format", "json"})).size(), 8U);
  EXPECT_EQ(json_of(moru({"targets", mine, "--format", "json"}))["memory"][0]["name"], "flash");
  const auto wrong = moru({"targets", "cortex"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.output, HasSubstr("expected a file (.yaml) or one of"));
}

TEST_F(Targets, CheckSaysOpByOpWhatRunsWhere) {
  const auto model = write_model();
  const auto target = write_target();
  const auto open = moru({"model", "check", model, "--target", target});
  EXPECT_EQ(open.code, 3) << open.output;
  EXPECT_THAT(open.output, HasSubstr("change        fix the open extents of the inputs: --dim N=1 (3 nodes)\n"));
  const auto run = moru({"model", "check", model, "--target", target, "--dim", "N=1"});
  EXPECT_EQ(run.code, 3) << run.output;
  EXPECT_THAT(run.output, HasSubstr("result        1 node falls back\n"));
  EXPECT_THAT(run.output,
              HasSubstr("fallback      1 Elu: node 1 'middle'\n              found an op that is not among those of the target\n"));
  EXPECT_THAT(run.output, HasSubstr("change        use Relu (1 node)\n"));
  const Json json = json_of(moru({"model", "check", model, "--target", target, "--dim", "N=1", "--format", "json"}));
  EXPECT_EQ(json["met"], false);
  EXPECT_EQ(json["taken"], true);
  EXPECT_EQ(json["pieces"], 2);
  EXPECT_EQ(json["macs"], 10);
  EXPECT_EQ(json["nodes"][1]["place"], "fallback");
  EXPECT_EQ(json["nodes"][0]["place"], "accelerator");
  const auto all = moru({"model", "check", model, "--target", "x86-avx2"});
  EXPECT_EQ(all.code, 0) << all.output;
  EXPECT_EQ(moru({"model", "check", model, "--target", "none"}).code, 2);
  EXPECT_EQ(moru({"model", "check", path("none.onnx"), "--target", "x86-avx2"}).code, 2);
}

TEST_F(Targets, PartitionWritesAModelAPieceAndThePlan) {
  const auto run = moru({"model", "partition", write_model(), "--target", write_target(), "-o", path("pieces"), "--samples", "3"});
  ASSERT_EQ(run.code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("written       3 pieces"));
  EXPECT_THAT(run.output, HasSubstr("3 seeded runs: the same bits"));
  const auto text = read_file(folder_.path() / "pieces" / "plan.json");
  ASSERT_TRUE(text.has_value());
  const auto plan = parse_json(*text, "plan.json");
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  const Json& pieces = (*plan)["pieces"];
  ASSERT_EQ(pieces.size(), 3U);
  EXPECT_EQ(pieces[0]["file"], "0.accelerator.onnx");
  EXPECT_EQ(pieces[1]["place"], "cpu");
  EXPECT_EQ(pieces[1]["inputs"], Json::parse(R"([{"name": "a", "dtype": "float32", "shape": [1, 2]}])"));
  EXPECT_EQ(pieces[2]["outputs"][0]["name"], "y");
  EXPECT_EQ(pieces[2]["nodes"], 2);
  const auto last = model::load_onnx(folder_.path() / "pieces" / "2.accelerator.onnx");
  ASSERT_TRUE(last.has_value()) << last.error().message;
  EXPECT_EQ(last->opset, 15) << "the newest that the target takes";
}

TEST_F(Targets, PartitionNeedsSomethingForTheAccelerator) {
  const auto model = write("elu.graph", "graph \"g\" { opset 18 input x: float32[2] y = Elu(x) output y }");
  const auto run = moru({"model", "partition", model, "--target", write_target(), "-o", path("pieces")});
  EXPECT_EQ(run.code, 3) << run.output;
  EXPECT_THAT(run.output, HasSubstr("found no op that runs on the accelerator of mine"));
  EXPECT_FALSE(exists("pieces"));
}

TEST_F(Targets, ConvertMakesWhatTheDeviceEats) {
  const auto run =
      moru({"model", "convert", write_model(), "-o", path("fixed.onnx"), "--target", write_target(), "--batch", "4", "--max-error", "0"});
  ASSERT_EQ(run.code, 0) << run.output;
  EXPECT_THAT(run.output, HasSubstr("target        mine: 3 of 4 nodes on the accelerator\n"));
  const auto graph = model::load_onnx(folder_.path() / "fixed.onnx");
  ASSERT_TRUE(graph.has_value()) << graph.error().message;
  EXPECT_EQ(model::to_string(*graph->value(graph->inputs[0]).type.shape), "[4, 2]");
  EXPECT_EQ(graph->opset, 15);
  const auto tflite =
      moru({"model", "convert", path("net.graph"), "-o", path("net.tflite"), "--target", "arm64-neon", "--max-error", "1e-5"});
  EXPECT_EQ(tflite.code, 0) << tflite.output;
}

TEST_F(Targets, ConvertRefusesWhatCannotBeMadeToFit) {
  const auto model = write_model();
  const auto refused = moru({"model", "convert", model, "-o", path("out.onnx"), "--target", write_target("fallback: []")});
  EXPECT_EQ(refused.code, 3) << refused.output;
  EXPECT_THAT(refused.output, HasSubstr("refused       1 Elu: node 1 'middle'"));
  EXPECT_THAT(refused.output, HasSubstr("nothing was written"));
  EXPECT_FALSE(exists("out.onnx"));
  const auto suffix = moru({"model", "convert", model, "-o", path("out.tflite"), "--target", path("mine.yaml")});
  EXPECT_EQ(suffix.code, 2) << suffix.output;
  EXPECT_THAT(suffix.output, HasSubstr("found the suffix .tflite, expected .onnx, which target 'mine' takes"));
  const auto opset = moru({"model", "convert", model, "-o", path("out.onnx"), "--target", write_target(), "--opset", "18"});
  EXPECT_EQ(opset.code, 2) << opset.output;
  EXPECT_THAT(opset.output, HasSubstr("found opset 18, expected 13 to 15"));
}

}  // namespace
}  // namespace moru::cli
