// SPDX-License-Identifier: Apache-2.0
// moru backend as an operator runs it: the real program, a home of its own.
#include <gmock/gmock.h>

#include "core/json.h"
#include "core/process.h"

namespace moru {
namespace {

using ::testing::HasSubstr;

class BackendCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-cli-backend");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
  }
  Path at(std::string_view name) const { return folder_->path() / name; }
  /// stdout, and stderr with it unless told.
  Captured run(const std::string& arguments, bool both = true) const {
    ProcessOptions options;
    options.arguments = {"/bin/sh", "-c", std::string("exec '") + MORU_PROGRAM + "' backend " + arguments + (both ? " 2>&1" : "")};
    options.environment = {{"MORU_HOME", at("home").string()}, {"PATH", at("no programs").string()}};
    auto captured = run_and_capture(options, 60 * kSecond);
    EXPECT_TRUE(captured) << captured.error().message;
    return captured.value_or(Captured{});
  }
  std::optional<TempFolder> folder_;
};

TEST_F(BackendCommands, ListTellsWhatCanBeHad) {
  const auto json = parse_json(run("list --format json", false).output, "list");
  ASSERT_TRUE(json) << json.error().message;
  bool seen = false;
  for (const Json& row : *json) {
    EXPECT_EQ(json_field<std::string>(row, "state", "row").value(), "not installed");
    EXPECT_FALSE(json_field<std::string>(row, "pinned", "row").value().empty());
    seen = seen || json_field<std::string>(row, "backend", "row").value() == "onnxruntime";
  }
  EXPECT_TRUE(seen);
  EXPECT_THAT(run("list").output, HasSubstr("onnxruntime    not installed"));
}

TEST_F(BackendCommands, WithoutThePackageClientTheExitCodeIsFour) {
  const auto result = run("install onnxruntime");
  EXPECT_EQ(result.status.code, 4) << result.output;
  EXPECT_THAT(result.output, HasSubstr("moru: install onnxruntime: found no program 'python3', expected the package client pip"));
  EXPECT_THAT(result.output, HasSubstr("apt-get install python3-pip"));
}

TEST_F(BackendCommands, WrongNamesAndFoldersAreUsageErrors) {
  EXPECT_EQ(run("install onnxruntim").status.code, 2);
  EXPECT_THAT(run("install onnxruntim").output, HasSubstr("did you mean 'onnxruntime'?"));
  EXPECT_EQ(run("install reference").status.code, 2);
  EXPECT_THAT(run("install reference").output, HasSubstr("it is part of moru"));
  EXPECT_EQ(run("remove onnxruntime").status.code, 2);
  ASSERT_TRUE(make_folders(at("usb")));
  const auto result = run("install onnxruntime --from '" + at("usb").string() + "'");
  EXPECT_EQ(result.status.code, 2);
  EXPECT_THAT(result.output, HasSubstr("found no onnxruntime-"));
  EXPECT_EQ(run("install onnxruntime --from /nowhere/at/all").status.code, 2);
}

}  // namespace
}  // namespace moru
