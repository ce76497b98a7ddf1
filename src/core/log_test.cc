// SPDX-License-Identifier: Apache-2.0
#include "core/log.h"

#include <gmock/gmock.h>

#include <string>
#include <thread>
#include <vector>

#include "core/json.h"

namespace moru {
namespace {

struct Seen {
  LogLevel level;
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields;
};

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kInfo);
    set_log_sink([this](const LogRecord& record) {
      Seen one{record.level, std::string(record.message), {}};
      for (const auto& field : record.fields) one.fields.emplace_back(field.key, field.value);
      seen_.push_back(std::move(one));
    });
  }
  void TearDown() override {
    set_log_sink({});
    set_log_level(LogLevel::kInfo);
  }
  std::vector<Seen> seen_;
};

TEST_F(LogTest, SinkReceivesLevelMessageAndFields) {
  MORU_LOG(kWarn, "queue full", "stream", "line", "dropped", 3, "rate", 0.5, "durable", true);
  ASSERT_EQ(seen_.size(), 1U);
  EXPECT_EQ(seen_[0].level, LogLevel::kWarn);
  EXPECT_EQ(seen_[0].message, "queue full");
  using Pair = std::pair<std::string, std::string>;
  EXPECT_THAT(seen_[0].fields,
              testing::ElementsAre(Pair("stream", "line"), Pair("dropped", "3"), Pair("rate", "0.5"), Pair("durable", "true")));
}

TEST_F(LogTest, ArgumentsAreNotEvaluatedWhenTheLevelIsOff) {
  int evaluated = 0;
  const auto cost = [&] { return ++evaluated; };
  MORU_LOG(kDebug, "detail", "n", cost());
  EXPECT_EQ(evaluated, 0);
  EXPECT_TRUE(seen_.empty());
  set_log_level(LogLevel::kDebug);
  MORU_LOG(kDebug, "detail", "n", cost());
  EXPECT_EQ(evaluated, 1);
  EXPECT_EQ(seen_.size(), 1U);
  set_log_level(LogLevel::kOff);
  MORU_LOG(kError, "worst", "n", cost());
  EXPECT_EQ(evaluated, 1);
  EXPECT_EQ(seen_.size(), 1U);
}

TEST_F(LogTest, SinkIsCalledByOneThreadAtATime) {
  constexpr int kEach = 500;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < kEach; ++i) MORU_LOG(kInfo, "tick", "i", i);
      });
    }
  }
  EXPECT_EQ(seen_.size(), std::size_t{4} * kEach);  // an unguarded vector would lose some, or crash
}

std::string written_by(const LogSink& sink, std::initializer_list<LogField> fields) {
  testing::internal::CaptureStderr();
  sink(LogRecord{LogLevel::kWarn, "queue full", {fields.begin(), fields.size()}});
  return testing::internal::GetCapturedStderr();
}

TEST(TextLogSink, WritesOneLineForPeople) {
  const auto line = written_by(text_log_sink(), {{"stream", "line"}, {"dropped", "3"}});
  EXPECT_THAT(line, testing::MatchesRegex("[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\\.[0-9]+ warn  queue full stream=line dropped=3\n"));
}

TEST(TextLogSink, HostileValuesForgeNoLineAndDriveNoTerminal) {
  const auto line = written_by(
      text_log_sink(),
      {{"a", "x\nERROR forged"}, {"b", "\x1b[2J"}, {"c", "two words"}, {"d", "q\"q"}, {"e", ""}, {"f", "모루"}, {"g", "\xc2\x9b"}});
  EXPECT_THAT(line, testing::HasSubstr("a=\"x\\x0aERROR forged\" b=\"\\x1b[2J\" c=\"two words\" d=\"q\\\"q\" e=\"\" f=모루 g="));
  EXPECT_THAT(line, testing::Not(testing::HasSubstr("\x9b")));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST(JsonLogSink, WritesOneJsonObjectALine) {
  const auto line = written_by(json_log_sink(), {{"name", "x\ny\xff"}});
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  const auto json = parse_json(line, "log");
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ((*json)["level"], "warn");
  EXPECT_EQ((*json)["message"], "queue full");
  EXPECT_EQ((*json)["name"], "x\ny\xef\xbf\xbd");
}

}  // namespace
}  // namespace moru
