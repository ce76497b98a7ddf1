// SPDX-License-Identifier: Apache-2.0
// The commands that look at the machine and its backends: moru backends, moru doctor, moru bench.
#include <gmock/gmock.h>

#include "cli/noun.h"
#include "core/json.h"
#include "core/process.h"
#include "model/formats/onnx/onnx.h"
#include "model/graph/text.h"
#include "model/ops/verify.h"

namespace moru::cli {
namespace {

using testing::HasSubstr;

class MachineCommands : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-cli");
    ASSERT_TRUE(folder.has_value());
    folder_.emplace(std::move(*folder));
    environment_ = {{"MORU_HOME", at("home").string()}, {"MORU_BACKEND_PATH", ""}};
  }
  Path at(std::string_view name) const { return folder_->path() / name; }

  Captured moru(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), MORU_PROGRAM);
    auto run = run_and_capture({.arguments = std::move(arguments), .environment = environment_, .output_file = {}, .working_folder = {}},
                               60 * kSecond);
    EXPECT_TRUE(run.has_value()) << (run ? "" : run.error().message);
    return run ? *run : Captured{};
  }
  /// The one JSON value that stdout holds.
  Json json(std::vector<std::string> arguments, int code) {
    arguments.insert(arguments.end(), {"--format", "json"});
    const auto run = moru(std::move(arguments));
    EXPECT_EQ(run.status.code, code) << run.output;
    auto value = parse_json(run.output, "stdout");
    EXPECT_TRUE(value.has_value()) << run.output;
    return value ? *value : Json();
  }
  std::string model() {
    auto graph =
        model::parse_text("graph \"g\" { opset 13 input x: float32[N, 4] y = Relu(x) z = Softmax(y) {axis = 1} output z }").value();
    EXPECT_TRUE(model::infer_shapes(graph).has_value());
    EXPECT_TRUE(model::save_onnx(graph, at("net.onnx")).has_value());
    return at("net.onnx").string();
  }
  /// From now on the first ONNX Runtime that is found is no library.
  void break_runtime() {
    ASSERT_TRUE(make_folders(at("broken")).has_value());
    ASSERT_TRUE(write_file_atomic(at("broken/libonnxruntime.so"), "text").has_value());
    environment_[1].second = at("broken").string();
  }

  std::optional<TempFolder> folder_;
  std::vector<std::pair<std::string, std::string>> environment_;
};

TEST_F(MachineCommands, BackendsListsNamesAndVersions) {
  const auto rows = json({"backends"}, kDone);
  std::vector<std::string> names;
  for (const auto& row : rows) names.push_back(row["name"]);
  EXPECT_THAT(names, testing::IsSupersetOf({"onnxruntime", "reference"}));
  const auto runtime = json({"backends", "onnxruntime"}, kDone);
  EXPECT_EQ(runtime["available"], true);
  EXPECT_THAT(runtime["version"].get<std::string>(), testing::StartsWith("1."));
  EXPECT_EQ(json({"backends", "reference"}, kDone)["name"], "reference");
  EXPECT_EQ(moru({"backends", "referense"}).status.code, kUsage);
  EXPECT_THAT(moru({"backends"}).output, HasSubstr("reference"));
}

TEST_F(MachineCommands, BrokenLibraryIsNamedWithItsReason) {
  break_runtime();
  const auto row = json({"backends", "onnxruntime"}, kDone);
  EXPECT_EQ(row["available"], false);
  EXPECT_THAT(row["reason"].get<std::string>(), HasSubstr("broken/libonnxruntime.so cannot be loaded"));
}

TEST_F(MachineCommands, DoctorDescribesTheMachineAndWhatIsThere) {
  const auto run = moru({"doctor", "--format", "json"});
  const auto report = parse_json(run.output, "stdout").value();
  EXPECT_FALSE(report["machine"]["cpu"].get<std::string>().empty());
  EXPECT_TRUE(report["machine"]["isa"].is_array());
  std::vector<std::string> names;
  bool complete = true;
  for (const auto& finding : report["findings"]) {
    names.push_back(finding["name"]);
    complete = complete && finding["present"].get<bool>();
    EXPECT_NE(finding["present"].get<bool>(), !finding["to_do"].get<std::string>().empty());
  }
  EXPECT_THAT(names,
              testing::IsSupersetOf({"backend onnxruntime", "backend reference", "mosquitto", "dataset fashion-mnist", "MORU_HOME"}));
  EXPECT_EQ(run.status.code, complete ? kDone : kMissing);
}

TEST_F(MachineCommands, DoctorEndsWithFourAndSaysWhatToDo) {
  break_runtime();
  const auto run = moru({"doctor"});
  EXPECT_EQ(run.status.code, kMissing);
  EXPECT_THAT(run.output, HasSubstr("missing  backend onnxruntime"));
  EXPECT_THAT(run.output, HasSubstr("get it again for this machine"));
}

TEST_F(MachineCommands, DoctorNamesAHomeThatCannotBeMade) {
  ASSERT_TRUE(write_file_atomic(at("home"), "a file in the way").has_value());
  const auto run = moru({"doctor"});
  EXPECT_EQ(run.status.code, kMissing);
  EXPECT_THAT(run.output, HasSubstr("found a file of that name, expected a folder"));
}

TEST_F(MachineCommands, BenchMeasuresEachBackendAndComparesItsAnswer) {
  const auto report = json({"bench", model(), "--backend", "onnxruntime,reference", "--seconds", "0.02", "--batch", "3"}, kDone);
  EXPECT_EQ(report["batch"], 3);
  EXPECT_TRUE(report["machine"].contains("cpu"));
  ASSERT_EQ(report["results"].size(), 2U);
  for (const auto& row : report["results"]) {
    EXPECT_FALSE(row.contains("error")) << row;
    EXPECT_GE(row["latency"]["runs"].get<int>(), 30);
    EXPECT_GT(row["latency"]["min_us"].get<double>(), 0.0);
    EXPECT_LE(row["latency"]["min_us"].get<double>(), row["latency"]["p50_us"].get<double>());
    EXPECT_LE(row["latency"]["p50_us"].get<double>(), row["latency"]["p99_us"].get<double>());
    EXPECT_GT(row["load_ms"].get<double>(), 0.0);
    EXPECT_LT(row["nmse"].get<double>(), 1e-10);  // float sums of four terms
    EXPECT_EQ(row["size_bytes"], std::filesystem::file_size(at("net.onnx")));
  }
}

TEST_F(MachineCommands, BenchGoesOnWhenOneBackendCannot) {
  break_runtime();
  const auto report = json({"bench", model(), "--backend", "onnxruntime,reference", "--seconds", "0.02"}, kDone);
  EXPECT_THAT(report["results"][0]["error"].get<std::string>(), HasSubstr("cannot be loaded"));
  EXPECT_FALSE(report["results"][1].contains("error"));
  EXPECT_EQ(moru({"bench", model(), "--backend", "onnxruntime", "--seconds", "0.02"}).status.code, kMissing);
}

TEST_F(MachineCommands, BenchRefusesWrongNamesAndFiles) {
  EXPECT_EQ(moru({"bench", model(), "--backend", "onnx"}).status.code, kUsage);
  EXPECT_EQ(moru({"bench", at("none.onnx").string()}).status.code, kUsage);
  EXPECT_EQ(moru({"bench", model(), "--threads", "0"}).status.code, kUsage);
  EXPECT_EQ(moru({"bench"}).status.code, kUsage);
}

}  // namespace
}  // namespace moru::cli
