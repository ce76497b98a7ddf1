// SPDX-License-Identifier: Apache-2.0
// moru hub, node and rollout as an operator runs them: the real program, a hub of its own.
#include <gmock/gmock.h>
#include <signal.h>

#include "core/json.h"
#include "core/process.h"

namespace moru {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class HubCommands : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-cli-hub");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    ProcessOptions options;
    options.arguments = {MORU_PROGRAM, "hub", "serve", "--port", "0", "--ready-file", copy().string()};
    options.environment = {{"MORU_HOME", folder_->path().string()}};
    options.output_file = folder_->path() / "hub.log";
    auto hub = Process::start(options);
    ASSERT_TRUE(hub) << hub.error().message;
    hub_.emplace(std::move(*hub));
    for (int i = 0; i < 600 && !std::filesystem::exists(copy()); ++i) {
      ASSERT_FALSE(hub_->wait_for(50 * kMillisecond)) << read_file(folder_->path() / "hub.log").value_or("");
    }
  }
  Path ready() const { return folder_->path() / "hub" / "ready.json"; }
  Path copy() const { return folder_->path() / "copy.json"; }
  Captured run(std::vector<std::string> arguments) const {
    // Messages for people go to stderr: both are looked at together.
    std::string line = std::string("exec '") + MORU_PROGRAM + "'";
    for (const std::string& argument : arguments) line += " '" + argument + "'";
    ProcessOptions options;
    options.arguments = {"sh", "-c", line + " 2>&1"};
    options.environment = {{"MORU_HOME", folder_->path().string()}};
    auto captured = run_and_capture(options, 60 * kSecond);
    EXPECT_TRUE(captured) << captured.error().message;
    return captured.value_or(Captured{});
  }

  std::optional<TempFolder> folder_;
  std::optional<Process> hub_;
};

TEST_F(HubCommands, ServeFromReadyFileToCleanStop) {
  const auto text = read_file(ready());
  ASSERT_TRUE(text);
  const auto json = parse_json(*text, "ready");
  ASSERT_TRUE(json);
  for (const char* field : {"url", "page_url", "operator_token_file", "ca_file"})
    EXPECT_TRUE(json_field<std::string>(*json, field, "ready")) << field;
  const pid_t broker = json_field<int>(*json, "broker_pid", "ready").value();
  EXPECT_EQ(::kill(broker, 0), 0);
  EXPECT_EQ(std::filesystem::status(ready()).permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(hub_->stop(20 * kSecond).code, 0);
  EXPECT_FALSE(std::filesystem::exists(ready()));
  EXPECT_FALSE(std::filesystem::exists(copy()));
  EXPECT_NE(::kill(broker, 0), 0);
  const auto after = run({"node", "list"});
  EXPECT_EQ(after.status.code, 4);
  EXPECT_THAT(after.output, HasSubstr("start it with: moru hub serve"));
}

TEST_F(HubCommands, OperatorsCommandsSpeakJsonAndExitCodes) {
  const auto token = run({"hub", "token", "--valid", "60"});
  EXPECT_EQ(token.status.code, 0);
  EXPECT_THAT(token.output, StartsWith("moru1."));
  EXPECT_EQ(run({"hub", "token", "--valid", "0"}).status.code, 2);
  const auto nodes = run({"node", "list", "--format", "json"});
  EXPECT_EQ(nodes.status.code, 0);
  EXPECT_EQ(parse_json(nodes.output, "nodes").value()["nodes"].size(), 0U);
  EXPECT_EQ(run({"rollout", "list", "--format", "json", "--ready-file", copy().string()}).status.code, 0);

  const auto missing = run({"rollout", "create", "--release", "7", "--watch"});
  EXPECT_EQ(missing.status.code, 2);
  EXPECT_THAT(missing.output, HasSubstr("release 7 is not on this hub"));
  EXPECT_THAT(run({"rollout", "create", "--release", "7", "--gate", "min_items"}).output, HasSubstr("expected NAME=NUMBER"));
  EXPECT_THAT(run({"rollout", "create", "--release", "7", "--gate", "min_item=5"}).output, HasSubstr("did you mean 'min_items'"));
  EXPECT_EQ(run({"rollout", "show", "../nodes"}).status.code, 2);
  EXPECT_EQ(run({"node", "show", "nobody"}).status.code, 2);
  EXPECT_EQ(run({"node", "drain", "nobody", "--at", "5"}).status.code, 2);
  const auto nobody = run({"node", "list", "--hub", "https://127.0.0.1:1"});
  EXPECT_EQ(nobody.status.code, 4) << nobody.output;
}

TEST_F(HubCommands, ASecondHubOnTheFolderIsRefusedInOneSentence) {
  const auto second = run({"hub", "serve", "--port", "0"});
  EXPECT_EQ(second.status.code, 4);
  EXPECT_THAT(second.output, HasSubstr("another hub runs on"));
  EXPECT_TRUE(std::filesystem::exists(ready()));
}

}  // namespace
}  // namespace moru
