// SPDX-License-Identifier: Apache-2.0
// The commands that look at the machine and its backends: moru backends, moru doctor, moru bench.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>

#include "cli/noun.h"
#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
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
    return capture(std::move(arguments));
  }
  Captured moru_with_stderr(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"sh", "-c", "exec \"$0\" \"$@\" 2>&1", MORU_PROGRAM});
    return capture(std::move(arguments));
  }
  Captured capture(std::vector<std::string> arguments) {
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
  /// The object of a list whose "name" or "backend" is this.
  static Json named(const Json& list, std::string_view key, std::string_view name) {
    for (const auto& one : list) {
      if (one[std::string(key)] == name) return one;
    }
    ADD_FAILURE() << name << " is not in " << list;
    return {};
  }
  /// From now on ONNX Runtime's library is one that does harm.
  void use_hostile(std::string_view kind) { environment_[1].second = fmt::format("{}/{}", MORU_HOSTILE, kind); }
  /// From now on the first ONNX Runtime that is found is no library.
  void break_runtime() {
    ASSERT_TRUE(make_folders(at("broken")).has_value());
    ASSERT_TRUE(write_file_atomic(at("broken/libonnxruntime.so"), "text").has_value());
    environment_[1].second = at("broken").string();
  }

  std::optional<TempFolder> folder_;
  std::vector<std::pair<std::string, std::string>> environment_;
};

TEST_F(MachineCommands, BackendsListsNamesVersionsAndDevices) {
  const auto rows = json({"backends"}, kDone);
  const auto row = named(rows, "name", "onnxruntime");
  EXPECT_EQ(row["available"], true);
  EXPECT_THAT(row["version"].get<std::string>(), testing::StartsWith("1."));
  EXPECT_EQ(row["devices"][0]["name"], "cpu");
  EXPECT_EQ(named(rows, "name", "reference")["available"], true);
  EXPECT_EQ(json({"backends", "reference"}, kDone)["name"], "reference");
  EXPECT_EQ(moru({"backends", "referense"}).status.code, kUsage);
  EXPECT_THAT(moru({"backends"}).output, HasSubstr("reference"));
}

TEST_F(MachineCommands, ALibraryThatCrashesAtLoadIsOneSentence) {
  use_hostile("crash");
  const auto row = json({"backends", "onnxruntime"}, kDone);
  EXPECT_EQ(row["available"], false);
  EXPECT_THAT(row["reason"].get<std::string>(), HasSubstr("signal 11 (SIGSEGV) while loading its library"));
  const auto run = moru({"doctor"});
  EXPECT_EQ(run.status.code, kMissing);
  EXPECT_THAT(run.output, HasSubstr("signal 11 (SIGSEGV)"));
  EXPECT_THAT(run.output, HasSubstr("ok       backend reference"));
}

TEST_F(MachineCommands, ALibraryThatPrintsSpoilsNoJson) {
  use_hostile("print");
  EXPECT_EQ(json({"backends", "onnxruntime"}, kDone)["available"], false);
  const auto rows = json({"bench", model(), "--backend", "onnxruntime,reference", "--seconds", "0.02"}, kDone);
  EXPECT_EQ(named(rows, "backend", "onnxruntime")["ok"], false);
  EXPECT_EQ(named(rows, "backend", "reference")["ok"], true);
}

TEST_F(MachineCommands, TheWorkerIsNotForPeople) {
  EXPECT_THAT(moru({"--help"}).output, testing::Not(HasSubstr("worker")));
  EXPECT_EQ(moru({"worker"}).status.code, kUsage);
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
    complete = complete && (finding["present"].get<bool>() || finding["optional"].get<bool>());
    EXPECT_NE(finding["present"].get<bool>(), !finding["to_do"].get<std::string>().empty());
  }
  EXPECT_THAT(names,
              testing::IsSupersetOf({"backend onnxruntime", "backend reference", "mosquitto", "dataset fashion-mnist", "MORU_HOME"}));
  EXPECT_THAT(named(report["findings"], "name", "backend reference")["found"].get<std::string>(), HasSubstr("on cpu"));
  EXPECT_EQ(run.status.code, complete ? kDone : kMissing);
  EXPECT_EQ(named(report["findings"], "name", "backend onnxruntime")["optional"], false);
  EXPECT_EQ(named(report["findings"], "name", "backend tensorrt")["optional"], true);
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
  const auto rows =
      json({"bench", model(), "--backend", "onnxruntime,reference", "--seconds", "0.02", "--batch", "3", "--threads", "1,2"}, kDone);
  ASSERT_TRUE(rows.is_array());
  ASSERT_EQ(rows.size(), 4U);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.dump());
    EXPECT_EQ(row["model"], at("net.onnx").string());
    EXPECT_EQ(row["ok"], true);
    EXPECT_EQ(row["batch"], 3);
    EXPECT_EQ(row["device"], "cpu");
    EXPECT_GE(row["runs"].get<int>(), 30);
    EXPECT_GT(row["min_us"].get<double>(), 0.0);
    EXPECT_LE(row["min_us"].get<double>(), row["p50_us"].get<double>());
    EXPECT_LE(row["p50_us"].get<double>(), row["p99_us"].get<double>());
    EXPECT_GT(row["load_ms"].get<double>(), 0.0);
    EXPECT_GT(row["peak_rss_bytes"].get<std::int64_t>(), 0);
    EXPECT_LT(row["nmse"].get<double>(), 1e-10);  // float sums of four terms
  }
  EXPECT_EQ(rows[2]["threads"], 2);
}

TEST_F(MachineCommands, BenchOfAllHasARowForEachBackend) {
  const auto backends = json({"backends"}, kDone);
  const auto rows = json({"bench", model(), "--seconds", "0.02"}, kDone);
  ASSERT_EQ(rows.size(), backends.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i]["backend"], backends[i]["name"]);
    EXPECT_NE(rows[i]["ok"].get<bool>(), rows[i]["p50_us"].is_null()) << rows[i];
  }
}

TEST_F(MachineCommands, BenchGoesOnWhenOneBackendCannot) {
  break_runtime();
  const auto rows = json({"bench", model(), "--backend", "onnxruntime,reference", "--seconds", "0.02"}, kDone);
  EXPECT_THAT(rows[0]["reason"].get<std::string>(), HasSubstr("cannot be loaded"));
  EXPECT_TRUE(rows[0]["p50_us"].is_null());
  EXPECT_EQ(rows[1]["ok"], true);
  EXPECT_EQ(moru({"bench", model(), "--backend", "onnxruntime", "--seconds", "0.02"}).status.code, kMissing);
}

TEST_F(MachineCommands, BenchTellsOnceWhatIsNotHereAndHasNoLineForIt) {
  break_runtime();
  const auto table = moru({"bench", model(), "--backend", "onnxruntime,reference", "--seconds", "0.02", "--batch", "1,2"}).output;
  EXPECT_EQ(table.find("cannot be loaded"), table.rfind("cannot be loaded")) << table;
  EXPECT_THAT(table, HasSubstr("\nnot here: backend onnxruntime: "));
  EXPECT_THAT(table, testing::Not(HasSubstr("failed\n")));
}

TEST_F(MachineCommands, WeightsMayLieInAFileBesideTheModel) {
  auto graph = model::parse_text(R"(graph "g" {
  opset 13
  input x: float32[1, 2]
  init w = float32[2] {1.5, 2.5}
  y = Add(x, w)
  output y
})")
                   .value();
  ASSERT_TRUE(model::infer_shapes(graph).has_value());
  ASSERT_TRUE(model::save_onnx(graph, at("m.onnx"), {.opset = {}, .external_bytes = 8}).has_value());
  ASSERT_TRUE(std::filesystem::exists(at("m.onnx.data")));
  for (const char* backend : {"reference", "onnxruntime", "openvino", "litert"}) {
    const auto run = json({"model", "run", at("m.onnx").string(), "--random", "1", "--backend", backend}, kDone);
    EXPECT_EQ(run["outputs"][0]["shape"], Json::parse("[1, 2]")) << backend;
  }
  const auto rows = json({"bench", at("m.onnx").string(), "--backend", "onnxruntime,reference", "--seconds", "0.02"}, kDone);
  EXPECT_EQ(rows[0]["ok"], true) << rows[0];
}

TEST_F(MachineCommands, BenchWritesATableAndAPage) {
  const auto run =
      moru({"bench", model(), "--backend", "reference", "--seconds", "0.02", "--seed", "5", "--html", at("page.html").string()});
  EXPECT_EQ(run.status.code, kDone);
  EXPECT_THAT(run.output, HasSubstr("seed 5"));
  EXPECT_THAT(run.output, HasSubstr("reference"));
  EXPECT_THAT(run.output, HasSubstr("written to "));
  EXPECT_THAT(read_file(at("page.html")).value_or(""), HasSubstr("<svg"));
}

TEST_F(MachineCommands, BenchRemembersWhatAutoFound) {
  const auto path = model();
  EXPECT_EQ(moru({"model", "run", path, "--random", "1", "--backend", "auto"}).status.code, kUsage);
  const auto first = json({"bench", path, "--backend", "auto", "--seconds", "0.02"}, kDone);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_NE(first[0]["backend"], "reference");
  EXPECT_EQ(json({"bench", path, "--backend", "auto", "--seconds", "0.02"}, kDone), first);
  EXPECT_THAT(moru({"bench", path, "--backend", "auto", "--seconds", "0.02"}).output, HasSubstr("is remembered since"));
  EXPECT_THAT(moru({"bench", path, "--backend", "auto", "--seconds", "0.02", "--fresh"}).output, HasSubstr("is the fastest of"));
  EXPECT_EQ(json({"model", "run", path, "--random", "1", "--backend", "auto"}, kDone)["backend"], first[0]["backend"]);
}

TEST_F(MachineCommands, BenchEndsWithItsChildrenWhenItIsInterrupted) {
  auto bench = Process::start({.arguments = {MORU_PROGRAM, "bench", model(), "--backend", "reference", "--seconds", "3000"},
                               .environment = environment_,
                               .output_file = at("out"),
                               .working_folder = {}});
  ASSERT_TRUE(bench.has_value());
  const auto child_of = [&] {
    const Path file = fmt::format("/proc/{0}/task/{0}/children", bench->pid());
    return std::string(trim(read_file(file).value_or("")));
  };
  const TimeNs deadline = system_clock().steady_now() + 30 * kSecond;
  while (child_of().empty() && system_clock().steady_now() < deadline) ::usleep(1000);
  const Path child = "/proc/" + child_of();
  ASSERT_NE(child, "/proc/");
  bench->send_signal(SIGINT);
  const auto status = bench->wait_for(30 * kSecond);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->code, kInterrupted);
  EXPECT_FALSE(std::filesystem::exists(child));
}

TEST_F(MachineCommands, BenchRefusesWrongNamesFilesAndNumbers) {
  EXPECT_EQ(moru({"bench", model(), "--backend", "onnx"}).status.code, kUsage);
  EXPECT_EQ(moru({"bench", at("none.onnx").string()}).status.code, kUsage);
  for (const char* threads : {"0", "1,,2", "two", "4000", "1x"}) {
    EXPECT_EQ(moru({"bench", model(), "--threads", threads}).status.code, kUsage) << threads;
  }
  EXPECT_EQ(moru({"bench", model(), "--batch", "-1"}).status.code, kUsage);
  EXPECT_EQ(moru({"bench", model(), "--dim", "N"}).status.code, kUsage);
  EXPECT_EQ(moru({"bench"}).status.code, kUsage);
}

TEST_F(MachineCommands, RooflineHasPeaksAndEachStepsShare) {
  const auto report = json({"bench", "roofline", model(), "--seconds", "0.02", "--batch", "3"}, kDone);
  EXPECT_GT(report["peaks"]["clock_ghz"].get<double>(), 0.1);
  EXPECT_GT(report["peaks"]["floats"]["gmac_per_s"].get<double>(), 0.0);
  EXPECT_FALSE(report["peaks"]["memory"].empty());
  ASSERT_EQ(report["models"].size(), 1U);
  const Json& found = report["models"][0];
  EXPECT_EQ(found["model"], at("net.onnx").string());
  double lost = 0;
  for (const auto& step : found["steps"]) lost += step["lost_us"].get<double>();
  EXPECT_NEAR(found["total"]["lost_us"].get<double>(), lost, 1e-6);
  EXPECT_EQ(named(found["steps"], "ops", "Softmax")["read_bytes"], 3 * 4 * 4);
  const auto run = moru({"bench", "roofline", model(), "--seconds", "0.02", "--html", at("roofline.html").string()});
  EXPECT_EQ(run.status.code, kDone);
  EXPECT_THAT(run.output, HasSubstr("all steps"));
  EXPECT_THAT(read_file(at("roofline.html")).value_or(""), HasSubstr("<svg"));
}

TEST_F(MachineCommands, RooflineObeysTheIsaAndSaysWhatItCannot) {
  environment_.emplace_back("MORU_ISA", "scalar");
  const auto peaks = json({"bench", "roofline"}, kDone);
  EXPECT_EQ(peaks["peaks"]["isa"], "scalar");
  EXPECT_TRUE(peaks["models"].empty());
  environment_.back().second = "abacus";
  const auto unknown = moru_with_stderr({"bench", "roofline"});
  EXPECT_EQ(unknown.status.code, kUsage);
  EXPECT_THAT(unknown.output, HasSubstr("MORU_ISA: found 'abacus', expected one of scalar"));
  environment_.pop_back();
  auto graph = model::parse_text("graph \"g\" { opset 13 input x: float32[2, 2] y = Det(x) output y }").value();
  ASSERT_TRUE(model::save_onnx(graph, at("odd.onnx")).has_value());
  const auto refused = moru_with_stderr({"bench", "roofline", at("odd.onnx").string()});
  EXPECT_EQ(refused.status.code, kUsage);
  EXPECT_THAT(refused.output, HasSubstr("bench roofline: " + at("odd.onnx").string()));
  EXPECT_THAT(refused.output, HasSubstr("node 0 (Det): the native engine has no op Det"));
}

}  // namespace
}  // namespace moru::cli
