// SPDX-License-Identifier: Apache-2.0
// moru backend test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "core/process.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::cli {
namespace {

using ::testing::HasSubstr;

struct ProgramRun {
  int code = -1;
  std::string output;  ///< stdout and stderr
};

class BackendTestVerb : public ::testing::Test {
 protected:
  void write(const Path& name, std::string_view bytes) {
    const Path path = folder_.path() / name;
    ASSERT_TRUE(make_folders(path.parent_path()).has_value());
    ASSERT_TRUE(write_file_atomic(path, bytes).has_value());
  }

  /// y = -x for x = {1}, and what the case says that y is.
  void write_case(const std::string& name, float expected, std::int64_t opset = 13) {
    auto graph = model::parse_text("graph \"g\" {\n  opset 13\n  input x: float32[1]\n  y = Neg(x)\n  output y\n}");
    ASSERT_TRUE(graph.has_value());
    ASSERT_TRUE(model::infer_shapes(*graph).has_value());
    std::string bytes = model::write_onnx(*graph).value();
    const auto at = bytes.rfind('\x0d');  // the opset stands last
    ASSERT_NE(at, std::string::npos);
    bytes[at] = static_cast<char>(opset);
    const auto tensor = [](float value) {
      std::string text("\x08\x01\x10\x01\x4a\x04", 6);
      return text.append(reinterpret_cast<const char*>(&value), sizeof value);
    };
    write(name + "/model.onnx", bytes);
    write(name + "/test_data_set_0/input_0.pb", tensor(1));
    write(name + "/test_data_set_0/output_0.pb", tensor(expected));
  }

  ProgramRun run(std::vector<std::string> arguments) {
    ProcessOptions options;
    options.arguments = {"sh", "-c", "exec \"$0\" \"$@\" 2>&1", MORU_PROGRAM, "backend", "test"};
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    options.arguments.insert(options.arguments.end(), {"--cases", folder_.path().string()});
    const auto done = run_and_capture(options, 60 * kSecond);
    if (!done) {
      ADD_FAILURE() << done.error().message;
      return {};
    }
    return {done->status.code, done->output};
  }

  TempFolder folder_ = *TempFolder::create("backend-test");
};

TEST_F(BackendTestVerb, SaysOfEachCaseWhatCameOfIt) {
  write_case("node/right", -1);
  write_case("node/wrong", -2);
  write_case("simple/newer", -1, 23);
  const auto text = run({"reference"});
  EXPECT_EQ(text.code, 1);
  EXPECT_THAT(text.output, HasSubstr("fail        'node/wrong': test_data_set_0: output 0: element 0: found -1, expected -2, 1 away\n"));
  EXPECT_THAT(text.output, HasSubstr("found opset 23, expected 1 to 22"));
  EXPECT_THAT(text.output, HasSubstr("3 cases on reference: 1 pass, 1 fail, 1 unsupported\n"));
  const auto json = parse_json(run({"reference", "--format", "json"}).output, "output");
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ((*json)["backend"], "reference");
  EXPECT_EQ((*json)["counts"], Json::parse(R"({"pass": 1, "fail": 1, "unsupported": 1})"));
  EXPECT_EQ((*json)["cases"][0], Json::parse(R"({"name": "node/right", "result": "pass", "reason": ""})"));
  EXPECT_EQ((*json)["cases"][1]["result"], "fail");
}

TEST_F(BackendTestVerb, FilterAndToleranceChooseWhatCounts) {
  write_case("node/right", -1);
  write_case("node/wrong", -2);
  EXPECT_EQ(run({"reference", "--filter", "right"}).code, 0);
  EXPECT_EQ(run({"reference", "--filter", "node/r*"}).code, 0);
  EXPECT_EQ(run({"reference", "--rtol", "0.5"}).code, 0);
  EXPECT_EQ(run({"onnxruntime", "--filter", "right"}).code, 0);
  const auto none = run({"reference", "--filter", "other*"});
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(none.output, "moru: --filter: found 'other*', which names none of 2 cases, expected one that names some\n");
}

TEST_F(BackendTestVerb, WithoutCasesOrBackendItSaysSo) {
  const auto empty = run({"reference"});
  EXPECT_EQ(empty.code, 2);
  EXPECT_THAT(empty.output, HasSubstr("found no folder with a model.onnx"));
  write_case("right", -1);
  const auto unknown = run({"none"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.output, HasSubstr("expected one of "));
}

}  // namespace
}  // namespace moru::cli
