// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "core/process.h"
#include "edge/streams/stage_for_test.h"
#include "wire/http.h"

namespace moru::edge {
namespace {

using testing::Caught;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Reads an answer as it comes.
class Looker {
 public:
  Looker(int port, const std::string& target) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const std::string request = fmt::format("GET {} HTTP/1.1\r\nHost: h\r\n\r\n", target);
    EXPECT_EQ(::send(fd_, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  }
  Looker(const Looker&) = delete;
  Looker& operator=(const Looker&) = delete;
  ~Looker() { ::close(fd_); }
  std::string read_until(const std::string& mark) const {
    std::string text;
    char byte = 0;
    while (text.find(mark) == std::string::npos && ::recv(fd_, &byte, 1, 0) == 1) text.push_back(byte);
    return text;
  }

 private:
  int fd_;
};

class LiveViewTest : public ::testing::Test {
 protected:
  void open(const std::string& options) {
    port_ = *free_port();
    auto made = testing::make_stage("live_view", fmt::format("{{listen: \"127.0.0.1:{}\"{}}}", port_, options));
    ASSERT_TRUE(made) << made.error().message;
    stage_ = std::move(*made);
    const auto opened = stage_->open({.clock = &clock_, .resources = {}, .stream = "line", .stop = {}});
    ASSERT_TRUE(opened) << opened.error().message;
  }
  void send(std::int64_t value) {
    Item item;
    item.sequence = static_cast<std::uint64_t>(value);
    item.emitted = clock_.steady_now();
    item.set("value", value);
    ASSERT_TRUE(stage_->process(std::move(item), caught_));
  }
  wire::HttpResponse get(const std::string& path, const std::string& bearer = "") const {
    wire::HttpOptions options;
    options.plain = true;
    options.bearer = bearer;
    return wire::http_get(fmt::format("http://127.0.0.1:{}{}", port_, path), options).value_or(wire::HttpResponse{});
  }

  FakeClock clock_;
  int port_ = 0;
  Caught caught_;
  std::unique_ptr<Stage> stage_;
};

TEST_F(LiveViewTest, ShowsItemsToWhoLooksAndNoFasterThanTold) {
  open(", max_rate_hz: 10");
  send(1);  // nobody looks
  EXPECT_TRUE(caught_.reasons.empty());
  const Looker looker(port_, "/events");
  EXPECT_THAT(looker.read_until(": welcome\n\n"), HasSubstr("text/event-stream"));
  send(2);
  send(3);  // 100 ms have not passed
  clock_.advance(100 * kMillisecond);
  send(4);
  EXPECT_THAT(looker.read_until("\n\n"), HasSubstr("event: item\ndata: {\"seq\":2,\"time\":0,\"value\":2,"));
  EXPECT_THAT(looker.read_until("\n\n"), HasSubstr("\"seq\":4"));
  EXPECT_THAT(caught_.reasons, ElementsAre("rate"));
}

TEST_F(LiveViewTest, HasAPage) {
  open("");
  EXPECT_THAT(get("/").body, HasSubstr("<script src=\"/view.js\">"));
  EXPECT_THAT(get("/").body, HasSubstr("<h1>line</h1>"));
  EXPECT_THAT(get("/view.js").body, HasSubstr("EventSource"));
  EXPECT_EQ(get("/other").status, 404);
}

TEST_F(LiveViewTest, AsksForItsToken) {
  const auto folder = TempFolder::create("moru-live");
  ASSERT_TRUE(write_file_atomic(folder->path() / "token", "open sesame"));
  auto bad = testing::make_stage("live_view", fmt::format("{{listen: \":0\", token_file: {}/token}}", folder->path().string()));
  ASSERT_TRUE(bad);
  EXPECT_FALSE((*bad)->open({.clock = &clock_, .resources = {}, .stream = {}, .stop = {}}));  // two words are no token
  ASSERT_TRUE(write_file_atomic(folder->path() / "token", "sesame"));
  open(fmt::format(", token_file: {}/token", folder->path().string()));
  EXPECT_EQ(get("/").status, 401);
  EXPECT_EQ(get("/", "wrong").status, 401);
  EXPECT_EQ(get("/", "sesame").status, 200);
  EXPECT_EQ(get("/?token=sesame").status, 200);
}

TEST(LiveViewOptions, OtherMachinesNeedTls) {
  const auto made = testing::make_stage("live_view", "{listen: \"0.0.0.0:8080\"}");
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("without TLS"));
  EXPECT_TRUE(testing::make_stage("live_view", "{listen: \"0.0.0.0:8080\", plain: true}"));
  const auto nowhere = testing::make_stage("live_view", "{listen: \"8080\"}");
  EXPECT_THAT(nowhere.error().message, HasSubstr("expected ADDRESS:PORT"));
}

}  // namespace
}  // namespace moru::edge
