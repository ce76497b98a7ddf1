// SPDX-License-Identifier: Apache-2.0
// The sinks that write text files: write_json, write_csv.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "core/text.h"
#include "edge/streams/rolling_file.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using testing::Caught;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FileSinksTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string text(const std::string& name) const { return read_file(path(name)).value_or(""); }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) found.push_back(entry.path().filename().string());
    std::ranges::sort(found);
    return found;
  }
  static Schema schema() {
    Schema schema;
    schema.set({.name = "device", .type = FieldType::kText});
    schema.set({.name = "value", .type = FieldType::kDouble, .unit = "degC"});
    schema.set({.name = "image", .type = FieldType::kTensor});
    schema.set({.name = "tensor.mean", .type = FieldType::kDouble});
    return schema;
  }
  std::unique_ptr<Stage> open(const std::string& name, const std::string& options) {
    auto stage = testing::make_stage(name, options);
    EXPECT_TRUE(stage) << stage.error().message;
    const Schema input = schema();
    const auto bound = (*stage)->bind(std::span(&input, 1));
    EXPECT_TRUE(bound) << bound.error().message;
    const auto status = (*stage)->open(context());
    EXPECT_TRUE(status) << status.error().message;
    return std::move(*stage);
  }
  StageContext context() { return {.clock = &clock_, .resources = {}, .stream = "test", .stop = {}}; }
  static Item item(std::uint64_t sequence, std::string_view device = "a", double value = 1.5, TimeNs time = 0) {
    Item made;
    made.sequence = sequence;
    made.event_time = time;
    made.set("device", device);
    made.set("value", value);
    return made;
  }
  void put(Stage& stage, Item made) {
    ASSERT_TRUE(stage.process(std::move(made), caught_));
    const auto status = stage.flush(caught_);
    ASSERT_TRUE(status) << status.error().message;
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-file-sinks"));
  FakeClock clock_;
  Caught caught_;
};

TEST_F(FileSinksTest, CsvHasAHeadAndQuotesWhatNeedsIt) {
  const auto stage = open("write_csv", "path: " + path("a.csv"));
  put(*stage, item(1, "oven, \"left\"\nside", 0.1, 5));
  Item half;
  half.sequence = 2;
  half.set("value", -1e300);
  put(*stage, std::move(half));
  EXPECT_EQ(text("a.csv"), "seq,time,device,value\n1,5,\"oven, \"\"left\"\" side\",0.1\n2,0,,-1e+300\n");
  EXPECT_EQ(caught_.used_items, 2U);
  EXPECT_EQ(stage->held(), 0U);
}

TEST_F(FileSinksTest, WhatCsvWroteReadCsvReads) {
  const auto sink = open("write_csv", "{path: " + path("a.csv") + ", separator: ';'}");
  put(*sink, item(1, "x;\"y\"", 1.0 / 3.0, 1'700'000'000'000'000'001));
  const auto source = testing::make_source(
      "read_csv", "{path: " + path("a.csv") + ", separator: ';', time: time, time_unit: ns, fields: {device: text, value: double}}");
  ASSERT_TRUE(source);
  ASSERT_TRUE((*source)->open(context()));
  ASSERT_TRUE((*source)->produce(caught_));
  ASSERT_EQ(caught_.items.size(), 1U);
  EXPECT_EQ(caught_.items[0].event_time, 1'700'000'000'000'000'001);
  EXPECT_EQ(caught_.items[0].text("device"), "x;\"y\"");
  EXPECT_EQ(*caught_.items[0].get<double>("value"), 1.0 / 3.0);
}

TEST_F(FileSinksTest, AFileIsGoneOnWithAndATornLineIsCutOff) {
  std::ofstream(path("a.csv")) << "seq,time,device,value\n1,5,a,1\n2,6,b,";
  put(*open("write_csv", "path: " + path("a.csv")), item(3));
  EXPECT_EQ(text("a.csv"), "seq,time,device,value\n1,5,a,1\n3,0,a,1.5\n");
  std::ofstream(path("b.jsonl")) << std::string(200'000, '\0');  // what a file system can leave of a line
  put(*open("write_json", "{path: " + path("b.jsonl") + ", fields: [value]}"), item(1));
  EXPECT_THAT(text("b.jsonl"), ::testing::StartsWith("{\"seq\":1,"));
  put(*open("write_json", "{path: " + path("b.jsonl") + ", append: false}"), item(2));
  EXPECT_THAT(text("b.jsonl"), ::testing::StartsWith("{\"seq\":2,"));
}

TEST_F(FileSinksTest, AFileWithOtherColumnsIsPutAway) {
  std::ofstream(path("a.csv")) << "n\n1\n";
  put(*open("write_csv", "path: " + path("a.csv")), item(1));
  EXPECT_THAT(names(), ElementsAre("a.000001.csv", "a.csv"));
  EXPECT_EQ(text("a.000001.csv"), "n\n1\n");
  EXPECT_EQ(text("a.csv"), "seq,time,device,value\n1,0,a,1.5\n");
}

TEST_F(FileSinksTest, FilesRollBySizeWithoutTearingALineAndTheOldestGo) {
  const auto stage = open("write_csv", "{path: " + path("a.csv") + ", max_mb: 0.00005, keep: 2, sync: group}");
  for (std::uint64_t i = 1; i <= 20; ++i) ASSERT_TRUE(stage->process(item(i), caught_));
  ASSERT_TRUE(stage->flush(caught_));
  EXPECT_EQ(caught_.used_items, 20U);
  EXPECT_THAT(names(), ElementsAre("a.000008.csv", "a.000009.csv", "a.csv"));
  for (const auto& name : names()) {
    EXPECT_LE(text(name).size(), 50U);
    EXPECT_THAT(text(name), ::testing::StartsWith("seq,time,device,value\n"));
    EXPECT_THAT(text(name), ::testing::EndsWith("\n"));
  }
  ASSERT_TRUE(stage->close());
  const auto again = open("write_csv", "{path: " + path("a.csv") + ", max_mb: 0.00001, keep: 2}");
  put(*again, item(21, "a device with a name that alone is longer than any file may be"));
  EXPECT_THAT(names(), ElementsAre("a.000009.csv", "a.000010.csv", "a.csv")) << "numbers go on";
}

TEST_F(FileSinksTest, FilesRollAtMidnightByTheClockAlsoAfterARestart) {
  const std::string options = "{path: " + path("a.jsonl") + ", max_age_s: 86400}";
  const TimeNs day = 86'400 * kSecond;
  clock_.advance(day - clock_.wall_now() % day + kSecond);
  auto stage = open("write_json", options);
  put(*stage, item(1));
  clock_.advance(day - 2 * kSecond);
  put(*stage, item(2));
  EXPECT_THAT(names(), ElementsAre("a.jsonl"));
  clock_.advance(kSecond);
  put(*stage, item(3));
  EXPECT_THAT(names(), ElementsAre("a.000001.jsonl", "a.jsonl"));
  EXPECT_EQ(split(text("a.000001.jsonl"), '\n').size(), 3U);
  ASSERT_TRUE(stage->close());
  const auto written =
      std::chrono::file_clock::from_sys(std::chrono::sys_time<std::chrono::nanoseconds>(std::chrono::nanoseconds(clock_.wall_now())));
  std::filesystem::last_write_time(path("a.jsonl"), written);
  clock_.advance(day);
  stage = open("write_json", options);
  put(*stage, item(4));
  EXPECT_THAT(names(), ElementsAre("a.000001.jsonl", "a.000002.jsonl", "a.jsonl"));
}

TEST_F(FileSinksTest, FilesRollByEventTimeAndALateItemMakesNone) {
  const std::string options = "{path: " + path("a.csv") + ", max_age_s: 10, age: event}";
  auto stage = open("write_csv", options);
  std::uint64_t n = 0;
  for (const TimeNs seconds : {-1, 8, 10, 9, 12, 9, 19}) put(*stage, item(++n, "a", 1.0, seconds * kSecond));
  EXPECT_THAT(names(), ElementsAre("a.000001.csv", "a.000002.csv", "a.csv"));
  EXPECT_EQ(split(text("a.csv"), '\n').size(), 7U) << "with the head and two late ones";
  ASSERT_TRUE(stage->close());
  stage = open("write_csv", options);
  put(*stage, item(++n, "a", 1.0, 18 * kSecond));
  EXPECT_EQ(names().size(), 3U);
  put(*stage, item(++n, "a", 1.0, 20 * kSecond));
  EXPECT_EQ(names().size(), 4U);
}

TEST_F(FileSinksTest, WhatDoesNotFitOnTheDiskIsWrittenWhenThereIsRoom) {
  const auto stage = open("write_csv", "path: " + path("a.csv"));
  put(*stage, item(1));
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = text("a.csv").size() + 5, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  ASSERT_TRUE(stage->process(item(2), caught_));
  ASSERT_TRUE(stage->process(item(3), caught_));
  const auto status = stage->flush(caught_);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_EQ(text("a.csv"), "seq,time,device,value\n1,0,a,1.5\n") << "none of what did not fit whole";
  EXPECT_EQ(stage->held(), 2U);
  ASSERT_TRUE(stage->close());
  ASSERT_TRUE(stage->open(context()));
  ASSERT_TRUE(stage->flush(caught_));
  EXPECT_EQ(text("a.csv"), "seq,time,device,value\n1,0,a,1.5\n2,0,a,1.5\n3,0,a,1.5\n");
  EXPECT_THAT(caught_.reasons, IsEmpty());
}

TEST_F(FileSinksTest, ADeletedFileIsMadeAnewAndAnothersIsNotTouched) {
  const auto stage = open("write_csv", "path: " + path("a.csv"));
  put(*stage, item(1));
  std::filesystem::remove(path("a.csv"));
  put(*stage, item(2));
  EXPECT_EQ(text("a.csv"), "seq,time,device,value\n2,0,a,1.5\n");
  auto second = testing::make_stage("write_csv", "{path: " + path("a.csv") + ", fields: [value]}");
  ASSERT_TRUE(second);
  EXPECT_THAT((*second)->open(context()).error().message, HasSubstr("another process that writes to it"));
  EXPECT_THAT(names(), ElementsAre("a.csv"));
}

TEST_F(FileSinksTest, MistakesOfOptionsAreFoundBeforeAnythingRuns) {
  const auto mistake = [](const std::string& options, bool open_schema = false) {
    auto stage = testing::make_stage("write_csv", options);
    if (!stage) return stage.error().message;
    Schema input = schema();
    input.open = open_schema;
    const auto bound = (*stage)->bind(std::span(&input, 1));
    return bound ? std::string() : bound.error().message;
  };
  EXPECT_THAT(mistake("{path: x, fields: [vaule]}"), HasSubstr("did you mean 'value'?"));
  EXPECT_THAT(mistake("{path: x, fields: [image]}"), HasSubstr("found field 'image', a tensor"));
  EXPECT_THAT(mistake("{path: x, fields: [value, value]}"), HasSubstr("'value' twice"));
  EXPECT_THAT(mistake("path: x", true), HasSubstr("expected 'fields'"));
  EXPECT_EQ(mistake("{path: x, fields: [more]}", true), "");
  EXPECT_THAT(mistake("{path: x, separator: '-'}"), HasSubstr("in no number"));
  EXPECT_THAT(mistake("{path: x, sync: always}"), HasSubstr("'always'"));
}

}  // namespace
}  // namespace moru::edge
