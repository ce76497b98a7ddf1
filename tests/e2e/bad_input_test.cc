// SPDX-License-Identifier: Apache-2.0
// What users get wrong: each mistake gets one clear sentence with what to do, and the right exit code.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/json.h"
#include "tests/support/program.h"

namespace moru {
namespace {

using ::moru::testing::ProgramRun;
using ::moru::testing::run_program;
using ::testing::HasSubstr;

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-bad-input");
    ASSERT_TRUE(folder) << folder.error().message;
    folder_.emplace(std::move(*folder));
  }
  Path path(const std::string& name) const { return folder_->path() / name; }
  void write(const std::string& name, std::string_view bytes) const { ASSERT_TRUE(write_file_atomic(path(name), bytes)); }
  ProgramRun moru(const std::vector<std::string>& arguments) const {
    return run_program("moru", arguments, {{"MORU_HOME", path("home").string()}});
  }
  /// One sentence for people on one line, after "moru: ".
  static void expect_one_sentence(const ProgramRun& run) {
    EXPECT_EQ(run.output.rfind("moru: ", 0), 0U) << run.output;
    EXPECT_EQ(std::count(run.output.begin(), run.output.end(), '\n'), 1) << run.output;
  }

 private:
  std::optional<TempFolder> folder_;
};

TEST_F(BadInput, UnknownNounIsWrongUsage) { EXPECT_EQ(moru({"modle", "show"}).code, 2); }

TEST_F(BadInput, UnknownOptionIsWrongUsage) { EXPECT_EQ(moru({"demo", "factory", "--itmes", "5"}).code, 2); }

TEST_F(BadInput, NoItemsIsWrongUsage) { EXPECT_EQ(moru({"demo", "factory", "--items", "0"}).code, 2); }

TEST_F(BadInput, MissingDatasetNamesThePackage) {
  const auto run = moru({"data", "show", path("nowhere").string()});
  EXPECT_EQ(run.code, 4) << run.output;
  EXPECT_THAT(run.output, HasSubstr("dataset-fashion-mnist"));
  expect_one_sentence(run);
}

TEST_F(BadInput, DatasetCutShortIsNamed) {
  ASSERT_TRUE(make_folders(path("data")));
  // The head promises 60,000 images; the copy ended after one.
  write("data/train-images-idx3-ubyte", std::string("\0\0\x08\x03\0\0\xea\x60\0\0\0\x1c\0\0\0\x1c", 16) + std::string(784, 'x'));
  const auto run = moru({"data", "show", path("data").string()});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_THAT(run.output, HasSubstr("train-images-idx3-ubyte"));
  EXPECT_THAT(run.output, HasSubstr("expected"));
  expect_one_sentence(run);
}

TEST_F(BadInput, MissingModelFileIsNamed) {
  const auto run = moru({"model", "show", path("absent.onnx").string()});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_THAT(run.output, HasSubstr("absent.onnx"));
  expect_one_sentence(run);
}

TEST_F(BadInput, CorruptOnnxIsNamed) {
  write("corrupt.onnx", std::string("\x08\x08\x12\x04moru\x3a\xff\xff\xff\x7f", 13));
  const auto run = moru({"model", "show", path("corrupt.onnx").string()});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_THAT(run.output, HasSubstr("corrupt.onnx"));
  expect_one_sentence(run);
}

TEST_F(BadInput, MistakeInAStreamFileHasItsLineAndTheNearestName) {
  write("line.yaml",
        "apiVersion: moru.dev/v1\n"
        "kind: Stream\n"
        "metadata: {name: line}\n"
        "spec:\n"
        "  stages:\n"
        "    - name: source\n"
        "      stage: idx_replai\n"
        "      options: {}\n");
  const auto run = moru({"stream", "check", path("line.yaml").string()});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_THAT(run.output, HasSubstr("line.yaml:7"));
  EXPECT_THAT(run.output, HasSubstr("idx_replay"));
  expect_one_sentence(run);
}

TEST_F(BadInput, BrokenYamlHasItsLine) {
  write("line.yaml", "apiVersion: moru.dev/v1\nkind: [Stream\n");
  const auto run = moru({"stream", "check", path("line.yaml").string()});
  EXPECT_EQ(run.code, 2) << run.output;
  EXPECT_THAT(run.output, HasSubstr("line.yaml:"));
  expect_one_sentence(run);
}

TEST_F(BadInput, PortInUseIsNamed) {
  auto first =
      Process::start({.arguments = {std::string(MORU_PROGRAMS) + "/moru", "hub", "serve", "--home", path("hub-1").string(), "--port", "0"},
                      .environment = {},
                      .output_file = path("hub-1.log"),
                      .working_folder = {}});
  ASSERT_TRUE(first) << first.error().message;
  const Path ready = path("hub-1") / "ready.json";
  for (int i = 0; i < 600 && !std::filesystem::exists(ready); ++i)
    ASSERT_FALSE(first->wait_for(50 * kMillisecond)) << *read_file(path("hub-1.log"));
  const auto text = read_file(ready);
  ASSERT_TRUE(text);
  const auto url = json_field<std::string>(*parse_json(*text, "ready.json"), "url", "ready.json");
  ASSERT_TRUE(url);
  const std::string port = url->substr(url->rfind(':') + 1);
  const auto run = moru({"hub", "serve", "--home", path("hub-2").string(), "--port", port});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.output, HasSubstr(port));
  EXPECT_THAT(run.output, HasSubstr("in use"));
  expect_one_sentence(run);
  EXPECT_EQ(first->stop().code, 0);
}

TEST_F(BadInput, FullDiskIsSaid) {
  const Path disk = path("disk");
  ASSERT_TRUE(make_folders(disk));
  // A file system of 16 kB in a mount namespace of its own; it is gone with the process.
  const std::string script = fmt::format("mount -t tmpfs -o size=16k moru-test {0} && exec {1}/moru hub serve --home {0}/hub --port 0 2>&1",
                                         disk.string(), MORU_PROGRAMS);
  ProcessOptions options;
  options.arguments = {"unshare", "--map-root-user", "--mount", "sh", "-c", script};
  options.environment = {{"MORU_HOME", path("home").string()}};
  const auto run = run_and_capture(options, 30 * kSecond);
  ASSERT_TRUE(run) << run.error().message;
  EXPECT_EQ(run->status.code, 1) << run->output;
  EXPECT_THAT(run->output, HasSubstr("space"));
  expect_one_sentence({run->status.code, run->output});
}

}  // namespace
}  // namespace moru
