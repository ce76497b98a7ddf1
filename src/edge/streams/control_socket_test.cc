// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/control_socket.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "core/json.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;

class ControlSocketTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<ControlServer>> start() {
    return ControlServer::start(folder_.path() / "state", {.state = [] { return Json{{"items", 7}}; },
                                                           .tap = [this](std::string_view link) -> Result<std::shared_ptr<LinkTap>> {
                                                             if (link == "a->b") return taps_.open();
                                                             return fail(ErrorCode::kNotFound, "no such link");
                                                           }});
  }
  static Item item(std::int64_t value) {
    Item item;
    item.sequence = static_cast<std::uint64_t>(value);
    item.set("value", value);
    return item;
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-control"));
  LinkTaps taps_;
};

TEST_F(ControlSocketTest, TellsTheState) {
  const auto server = start();
  ASSERT_TRUE(server) << server.error().message;
  auto client = ControlClient::connect(folder_.path() / "state");
  ASSERT_TRUE(client) << client.error().message;
  for (int i = 0; i < 3; ++i) {
    const auto state = client->ask({{"ask", "state"}});
    ASSERT_TRUE(state) << state.error().message;
    EXPECT_EQ((*state)["items"], 7);
  }
}

TEST_F(ControlSocketTest, ShowsWhatGoesByALink) {
  const auto server = start();
  auto client = ControlClient::connect(folder_.path() / "state");
  ASSERT_TRUE(client);
  ASSERT_TRUE(client->send({{"ask", "tap"}, {"link", "a->b"}}));
  // The tap is open when the next question is answered.
  ASSERT_TRUE(client->ask({{"ask", "state"}}));
  taps_.offer(item(1));
  taps_.offer(item(2));
  for (int i = 1; i <= 2; ++i) {
    const auto line = client->next_line(20 * kSecond);
    ASSERT_TRUE(line && *line);
    EXPECT_EQ((*parse_json(**line, "line"))["value"], i);
  }
}

TEST_F(ControlSocketTest, AnswersMistakesAndEndsWithGarbage) {
  const auto server = start();
  auto client = ControlClient::connect(folder_.path() / "state");
  const auto tap = client->ask({{"ask", "tap"}, {"link", "nowhere"}});
  ASSERT_FALSE(tap);
  EXPECT_THAT(tap.error().message, HasSubstr("no such link"));
  for (const Json& wrong : {Json("garbage"), Json{{"ask", 5}}, Json{{"ask", "everything"}}, Json::array()}) {
    const auto answer = client->ask(wrong);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message, HasSubstr("found no question"));
  }
  ASSERT_TRUE(client->send(std::string(100'000, 'x')));
  EXPECT_FALSE(client->next_line(20 * kSecond));  // cut off
  EXPECT_TRUE(ControlClient::connect(folder_.path() / "state")->ask({{"ask", "state"}}));
}

TEST_F(ControlSocketTest, IsForTheSameUserAndOneStream) {
  {
    const auto server = start();
    struct stat info{};
    ASSERT_EQ(::stat((folder_.path() / "state" / "control").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0600U);
    const auto second = start();
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr("another stream"));
  }
  const auto client = ControlClient::connect(folder_.path() / "state");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(client.error().message, HasSubstr("found no stream at work"));
  EXPECT_TRUE(start());  // the folder can be used again
}

TEST_F(ControlSocketTest, AFolderWithALongNameWillDo) {
  const Path deep = folder_.path() / std::string(200, 'd');
  const auto server = ControlServer::start(deep, {.state = [] { return Json::object(); }, .tap = {}});
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_TRUE(ControlClient::connect(deep)->ask({{"ask", "state"}}));
}

TEST(LinkTaps, AReaderThatIsTooSlowMissesSomeAndIsTold) {
  LinkTaps taps;
  taps.offer({});
  const auto tap = taps.open();
  for (int i = 0; i < 300; ++i) taps.offer({});
  std::uint64_t missed = 0;
  EXPECT_EQ(tap->take(missed).size() + missed, 300U);
  EXPECT_GT(missed, 0U);
  taps.offer({});
  EXPECT_EQ(tap->take(missed).size(), 1U);
  EXPECT_EQ(missed, 0U);
}

}  // namespace
}  // namespace moru::edge
