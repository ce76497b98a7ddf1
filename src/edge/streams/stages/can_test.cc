// SPDX-License-Identifier: Apache-2.0
// The source can: its reader on a pair of sockets that deliver frames, and on a virtual interface where the kernel has one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

#include "core/process.h"
#include "edge/streams/can_socket.h"
#include "edge/streams/can_source.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

can_frame frame(canid_t id, std::vector<std::uint8_t> data) {
  can_frame result{};
  result.can_id = id;
  result.len = static_cast<std::uint8_t>(data.size());
  std::ranges::copy(data, std::begin(result.data));
  return result;
}

class CanTest : public ::testing::Test {
 protected:
  CanTest() { connect(); }
  void connect() {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()), 0);
    bus_ = Descriptor(ends[0]);
    other_ = Descriptor(ends[1]);
  }
  template <class T>
  void send(const T& bytes) {
    ASSERT_EQ(::send(bus_.get(), &bytes, sizeof(bytes), 0), static_cast<ssize_t>(sizeof(bytes)));
  }
  std::unique_ptr<SourceStage> make(CanOptions options) {
    auto source = make_can_source(std::move(options), [this]() -> Result<Descriptor> {
      if (!other_) return fail(ErrorCode::kUnavailable, "can: no interface");
      return std::move(other_);
    });
    EXPECT_TRUE(source->open({.clock = &clock_, .resources = {}, .stream = {}, .stop = {}}));
    return source;
  }
  static std::vector<Signal> signals(std::string_view text, std::size_t max_bytes = 8) {
    return *read_signals(*ConfigObject::parse(text, "test.yaml"), max_bytes);
  }

  Descriptor bus_;
  Descriptor other_;
  FakeClock clock_;
  testing::Caught caught_;
};

TEST_F(CanTest, DecodesClassicAndFdMessagesAndSaysWhyNotOthers) {
  CanOptions options{.interface = "can0", .fd = true};
  options.messages.push_back({{.id = 0x123}, "engine", signals("{speed: {start: 0, length: 16, scale: 0.5, unit: rpm}}")});
  options.messages.push_back({{.id = 0x18FF0102, .extended = true}, "far", signals("{last: {start: 504, length: 8}}", 64)});
  const auto source = make(std::move(options));
  EXPECT_EQ(to_string(*source->bind()->find("speed")), "double rpm");
  EXPECT_EQ(to_string(*source->bind()->find("last")), "int64");
  send(frame(0x123, {0x10, 0x27}));
  canfd_frame far{};
  far.can_id = 0x18FF0102 | CAN_EFF_FLAG;
  far.len = 64;
  far.data[63] = 7;
  send(far);
  send(frame(0x123, {1}));
  send(frame(0x123 | CAN_RTR_FLAG, {}));
  send(frame(0x123 | CAN_EFF_FLAG, {1, 2}));
  send(frame(CAN_ERR_FLAG | CAN_ERR_BUSOFF, {}));
  auto bad = frame(0x123, {1, 2});
  bad.len = 9;
  send(bad);
  send(std::uint32_t{0x123});
  ASSERT_TRUE(*source->produce(caught_));
  ASSERT_EQ(caught_.items.size(), 2U);
  EXPECT_EQ(caught_.items[0].text("message"), "engine");
  EXPECT_EQ(*caught_.items[0].get<double>("speed"), 5000.0);
  EXPECT_EQ(caught_.items[0].event_time, clock_.wall_now());
  EXPECT_EQ(*caught_.items[1].get<std::int64_t>("last"), 7);
  EXPECT_EQ(caught_.items[1].sequence, 2U);
  EXPECT_THAT(caught_.reasons, ElementsAre("too short", "remote frame", "unknown id", "bus off", "bad frame", "bad frame"));
}

TEST_F(CanTest, ABusThatGoesIsAnErrorThatMayGoAway) {
  CanOptions options{.interface = "can0", .items = 2};
  options.messages.push_back({{.id = 1}, "one", signals("{a: {start: 0, length: 8}}")});
  const auto source = make(std::move(options));
  send(frame(1, {5}));
  ASSERT_TRUE(*source->produce(caught_));
  bus_.reset();
  const auto gone = source->produce(caught_);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kUnavailable);
  ASSERT_TRUE(source->close());
  EXPECT_FALSE(source->produce(caught_));
  connect();
  send(frame(1, {6}));
  EXPECT_FALSE(*source->produce(caught_)) << "its items are there";
  EXPECT_EQ(*caught_.items.at(1).get<std::int64_t>("a"), 6);
}

TEST_F(CanTest, MistakesHaveTheirLine) {
  const auto mistake = [](const std::string& messages) {
    const auto source = testing::make_source("can", "{interface: can0, messages: " + messages + "}");
    return source ? std::string("none") : source.error().message;
  };
  EXPECT_EQ(mistake("[{id: 0x7FF, signals: {a: {start: 0, length: 8}}}]"), "none");
  EXPECT_THAT(mistake("[{id: 0x800, signals: {a: {start: 0, length: 8}}}]"), HasSubstr("ids of 29 bits are 'extended: true'"));
  EXPECT_THAT(mistake("[{id: x, signals: {a: {start: 0, length: 8}}}]"), HasSubstr("test.yaml:1: found id 'x'"));
  EXPECT_THAT(mistake("[{id: 1, signals: {a: {start: 64, length: 8}}}]"), HasSubstr("test.yaml:1"));
  EXPECT_THAT(mistake("[{id: 1, signals: {a: {start: 0, length: 8}}}, {id: 1, signals: {b: {start: 0, length: 8}}}]"),
              HasSubstr("found message 0x1 twice"));
  EXPECT_THAT(mistake("[{id: 1, signals: {a: {start: 0, length: 8}}}, {id: 2, signals: {a: {start: 0, length: 8, unit: V}}}]"),
              HasSubstr("found 'a' as int64 and as int64 V"));
  EXPECT_THAT(mistake("[{id: 1, signals: {message: {start: 0, length: 8}}}]"), HasSubstr("found 'message' as text and as int64"));
  EXPECT_THAT(mistake("[]"), HasSubstr("found 0 messages"));
}

TEST_F(CanTest, AnInterfaceThatIsNotThereIsSaidPlainly) {
  const auto socket = open_can("nocan9", {}, false);
  ASSERT_FALSE(socket);
  EXPECT_THAT(socket.error().message, HasSubstr("can nocan9: "));
}

/// A virtual CAN interface of its own, where the kernel and the rights are there.
class VirtualCan : public CanTest {
 protected:
  static bool ip(std::vector<std::string> arguments) {
    ProcessOptions options;
    options.arguments = {"ip", "link"};
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    const auto run = run_and_capture(options, 10 * kSecond);
    return run && run->status.code == 0;
  }
  void SetUp() override {
    if (!ip({"add", "dev", kName, "type", "vcan"}) || !ip({"set", kName, "mtu", "72"}) || !ip({"set", kName, "up"}))
      GTEST_SKIP() << "no virtual CAN interface can be made here: `ip link add type vcan` fails";
    sender_ = Descriptor(::socket(PF_CAN, SOCK_RAW, CAN_RAW));
    sockaddr_can address{};
    address.can_family = AF_CAN;
    address.can_ifindex = static_cast<int>(::if_nametoindex(kName));
    ASSERT_EQ(::bind(sender_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  void TearDown() override { ip({"delete", kName}); }
  static constexpr const char* kName = "vcanmoru";
  Descriptor sender_;
};

TEST_F(VirtualCan, DeliversWhatTheFilterLetsThroughWithTheKernelsTime) {
  auto source = testing::make_source(
      "can", std::string("{interface: ") + kName + ", fd: true, messages: [{id: 0x123, signals: {a: {start: 0, length: 8}}}]}");
  ASSERT_TRUE(source) << source.error().message;
  ASSERT_TRUE((*source)->open({.clock = &clock_, .resources = {}, .stream = {}, .stop = {}}));
  ASSERT_TRUE((*source)->produce(caught_));  // the socket is there now
  for (const canid_t id : {0x122U, 0x123U}) {
    const auto one = frame(id, {9});
    ASSERT_EQ(::write(sender_.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  }
  ASSERT_TRUE((*source)->produce(caught_));
  ASSERT_EQ(caught_.items.size(), 1U);
  EXPECT_THAT(caught_.reasons, ElementsAre());
  EXPECT_NE(caught_.items[0].event_time, clock_.wall_now());
}

}  // namespace
}  // namespace moru::edge
