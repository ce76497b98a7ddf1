// SPDX-License-Identifier: Apache-2.0
// The source serial on pseudo-terminals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <thread>

#include "core/descriptor.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A device that a test speaks for: the other end has a path, which another device can take over.
class Device {
 public:
  explicit Device(const Path& path) {
    int master = -1;
    int slave = -1;
    std::array<char, 256> name{};
    EXPECT_EQ(::openpty(&master, &slave, name.data(), nullptr, nullptr), 0);
    master_ = Descriptor(master);
    slave_ = Descriptor(slave);
    std::filesystem::remove(path);
    std::filesystem::create_symlink(name.data(), path);
  }
  void send(std::string_view bytes) const {
    ASSERT_EQ(::write(master_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  /// Bytes that nobody has read yet.
  int unread() const {
    int bytes = 0;
    EXPECT_EQ(::ioctl(slave_.get(), FIONREAD, &bytes), 0);
    return bytes;
  }
  termios settings() const {
    termios settings{};
    EXPECT_EQ(::tcgetattr(slave_.get(), &settings), 0);
    return settings;
  }

 private:
  Descriptor master_;
  Descriptor slave_;
};

class SerialTest : public ::testing::Test {
 protected:
  void make(const std::string& options) {
    auto source = testing::make_source("serial", "{device: " + path_.string() + ", " + options + "}");
    ASSERT_TRUE(source) << source.error().message;
    source_ = std::move(*source);
    const auto schema = source_->bind();
    ASSERT_TRUE(schema) << schema.error().message;
    ASSERT_TRUE(source_->open({.clock = &clock_, .resources = {}, .stream = {}, .stop = {}}));
  }
  /// Until so many items and dropped frames are there.
  std::string read(std::size_t ends) {
    while (caught_.items.size() + caught_.reasons.size() < ends) {
      const auto more = source_->produce(caught_);
      if (!more) return more.error().message;
      if (!*more) return "end";
    }
    return "";
  }
  /// Opens the device, so that what is sent from now on is heard.
  void listen() { ASSERT_TRUE(source_->produce(caught_)); }

  TempFolder folder_ = std::move(*TempFolder::create("moru-serial"));
  const Path path_ = folder_.path() / "tty";
  FakeClock clock_;
  testing::Caught caught_;
  std::unique_ptr<SourceStage> source_;
};

TEST_F(SerialTest, ReadsLinesOfCsvAndDropsWhatIsNone) {
  const Device device(path_);
  make(
      "baud: 115200, parity: even, data_bits: 7, stop_bits: 2, format: csv, columns: [id, at, t], time: at, time_unit: ms, max_length: 30, "
      "fields: {t: double degC, id: text}");
  listen();
  const auto settings = device.settings();
  EXPECT_EQ(::cfgetispeed(&settings), speed_t{B115200});
  // A pseudo-terminal has eight bits without parity, whatever it is told.
  EXPECT_EQ(settings.c_cflag & CSTOPB, tcflag_t{CSTOPB});
  EXPECT_EQ(settings.c_iflag & INPCK, tcflag_t{INPCK});
  EXPECT_EQ(settings.c_lflag & (ICANON | ECHO), tcflag_t{0});
  device.send("2,3\r\na,1000,21.5\r\nb,2000\nc,3000,warm\n" + std::string(40, '1') + "\n\"d,1,2\n\nd,4000,-1e1\n");
  ASSERT_EQ(read(7), "");
  EXPECT_THAT(caught_.reasons, ElementsAre("cut off", "too few columns", "not a number", "frame too long", "bad quotes"));
  ASSERT_EQ(caught_.items.size(), 2U);
  EXPECT_EQ(caught_.items[0].text("id"), "a");
  EXPECT_EQ(*caught_.items[0].get<double>("t"), 21.5);
  EXPECT_EQ(caught_.items[0].event_time, kSecond);
  EXPECT_EQ(caught_.items[1].sequence, 2U);
}

TEST_F(SerialTest, ReadsJsonBetweenDelimitersAndNumbersOfALength) {
  auto device = std::make_unique<Device>(path_);
  make(R"(frames: delimiter, delimiter: "\x03", format: json, fields: {n: int64}, items: 2)");
  listen();
  device->send("\x03{\"n\": 1}\x03{\"n\": 1.5}\x03{\"n\"\x03{\"n\": 2}\x03{\"n\": 3}\x03");
  EXPECT_EQ(read(100), "end");
  EXPECT_THAT(caught_.reasons, ElementsAre("cut off", "wrong type", "no JSON object"));
  EXPECT_EQ(caught_.items.size(), 2U);
  EXPECT_EQ(caught_.items[0].event_time, clock_.wall_now());

  device = std::make_unique<Device>(path_);
  make("frames: length, length: 6, format: number, fields: {w: double kg}");
  caught_ = {};
  listen();
  device->send("  12.5 -0.25abcdef");
  ASSERT_EQ(read(3), "");
  EXPECT_EQ(*caught_.items[1].get<double>("w"), -0.25);
  EXPECT_THAT(caught_.reasons, ElementsAre("not a number"));
}

TEST_F(SerialTest, ADeviceThatGoesAndComesBackIsReadAgain) {
  make("format: number, fields: {n: int64}");
  EXPECT_THAT(read(1), HasSubstr("open: No such file or directory, expected a serial device that is there"));
  ASSERT_TRUE(source_->close());
  auto device = std::make_unique<Device>(path_);
  listen();
  device->send("\n1\n2");
  ASSERT_EQ(read(2), "");
  device.reset();
  EXPECT_THAT(read(3), HasSubstr("expected bytes; is it plugged in?"));
  ASSERT_TRUE(source_->close());
  device = std::make_unique<Device>(path_);
  listen();
  device->send("9\n3\n");
  ASSERT_EQ(read(5), "");
  EXPECT_THAT(caught_.reasons, ElementsAre("cut off", "cut off", "cut off"));
  EXPECT_EQ(*caught_.items.back().get<std::int64_t>("n"), 3);
  EXPECT_EQ(caught_.items.back().sequence, 2U);
}

TEST_F(SerialTest, MistakesHaveTheirLine) {
  const auto mistake = [](const std::string& options) {
    const auto source = testing::make_source("serial", "{device: /dev/null, " + options + "}");
    if (!source) return source.error().message;
    const auto schema = (*source)->bind();
    return schema ? std::string("none") : schema.error().message;
  };
  EXPECT_THAT(mistake("format: csv, fields: {a: text}, baud: 9601"), HasSubstr("test.yaml:1: found baud 9601, expected one of 300"));
  EXPECT_THAT(mistake("format: csv, fields: {a: text}, frames: length"), HasSubstr("found frames by length with nothing more"));
  EXPECT_THAT(mistake("format: csv, fields: {a: text}, delimiter: x"), HasSubstr("found frames by line with 'delimiter'"));
  EXPECT_THAT(mistake("format: csv, fields: {a: text}, frames: length, length: 1, begin: YY"), HasSubstr("expected a longer frame"));
  EXPECT_THAT(mistake("format: number, fields: {a: double, b: double}"), HasSubstr("found 2 fields for a number"));
  EXPECT_THAT(mistake("format: csv, fields: {a: text}, columns: [b]"), HasSubstr("found no column 'a'"));
  EXPECT_THAT(mistake("format: csv, fields: {a: text}, separator: ab"), HasSubstr("expected one character"));
}

TEST_F(SerialTest, WhatIsNoSerialDeviceEndsTheSource) {
  auto source = testing::make_source("serial", "{device: /dev/null, format: number, fields: {n: int64}}");
  ASSERT_TRUE((*source)->open({.clock = &clock_, .resources = {}, .stream = {}, .stop = {}}));
  const auto more = (*source)->produce(caught_);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(SerialTest, ItsExampleRuns) {
  const Device device(path_);
  std::string example(find_stage("serial")->example);
  example.replace(example.find("/dev/ttyUSB0"), 12, path_.string());
  std::jthread speaker([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (device.unread() < 1000) device.send("7,25.5\n");  // one that is full would hold this thread for ever
      std::this_thread::yield();
    }
  });
  testing::run_example(*find_stage("serial"), all_stages(), example);
}

}  // namespace
}  // namespace moru::edge
