// SPDX-License-Identifier: Apache-2.0
// The sources that read records from files: read_csv, read_ndjson.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "edge/streams/file_source.h"
#include "edge/streams/stage_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FilesTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  void write(const std::string& name, std::string_view bytes) const { ASSERT_TRUE(write_file_atomic(path(name), bytes)); }
  std::unique_ptr<SourceStage> make(std::string_view stage, const std::string& options) {
    auto source = testing::make_source(stage, options);
    EXPECT_TRUE(source) << source.error().message;
    return source ? std::move(*source) : nullptr;
  }
  Status open(SourceStage& source) { return source.open({.clock = &clock_, .resources = {}, .stream = {}, .stop = {}}); }
  /// Runs it to its end, or to its first error, whose message is returned.
  std::string run(SourceStage& source) {
    if (const auto opened = open(source); !opened) return opened.error().message;
    while (true) {
      const auto more = source.produce(caught_);
      if (!more) return more.error().message;
      if (!*more) return "";
    }
  }
  std::string run(std::string_view stage, const std::string& options) {
    const auto source = make(stage, options);
    return source ? run(*source) : "not made";
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-files"));
  FakeClock clock_;
  testing::Caught caught_;
};

TEST_F(FilesTest, CsvGivesTypedFieldsAndTimes) {
  write("a.csv",
        "\xEF\xBB\xBF"
        "at,device,n,\"t, in C\"\r\n2026-11-23T17:35:00.25Z,\"a \"\"b\"\"\",7,21.5\r\n\r\n2026-11-23 17:35:01Z,,8,\n");
  ASSERT_EQ(run("read_csv", "{path: " + path("a.csv") + ", time: at, fields: {device: text, n: int64, 't, in C': double degC}}"), "");
  ASSERT_EQ(caught_.items.size(), 2U);
  const Item& first = caught_.items[0];
  EXPECT_EQ(first.sequence, 1U);
  EXPECT_EQ(first.event_time, 1'795'455'300 * kSecond + 250 * kMillisecond);
  EXPECT_EQ(first.text("device"), "a \"b\"");
  EXPECT_EQ(*first.get<std::int64_t>("n"), 7);
  EXPECT_EQ(*first.get<double>("t, in C"), 21.5);
  EXPECT_EQ(caught_.items[1].fields.size(), 1U) << "empty values are left out";
}

TEST_F(FilesTest, CsvLinesThatAreNoRecordsAreDroppedAndTheRestGoesOn) {
  write("a.csv", "at,n\n1,x\n1\nx,1\n\"1,1\n1,2\n99999999999999999999,3\n" + std::string(LineFile::kMaxLine + 5, '1') + "\n2,4\n");
  ASSERT_EQ(run("read_csv", "{path: " + path("a.csv") + ", time: at, time_unit: s, fields: {n: int64}}"), "");
  EXPECT_THAT(caught_.reasons, ElementsAre("not a number", "too few columns", "no time", "bad quotes", "no time", "line too long"));
  ASSERT_EQ(caught_.items.size(), 2U);
  EXPECT_EQ(caught_.items[1].event_time, 2 * kSecond);
}

TEST_F(FilesTest, ACsvWithoutTheColumnNamesTheNearest) {
  write("a.csv", "time,temperature\n");
  const auto message = run("read_csv", "{path: " + path("a.csv") + ", fields: {temprature: double}}");
  EXPECT_THAT(message, HasSubstr("a.csv' line 1: found no column 'temprature' (did you mean 'temperature'?)"));
  EXPECT_THAT(run("read_csv", "{path: " + path("none.csv") + ", fields: {a: text}}"), HasSubstr("none.csv"));
}

TEST_F(FilesTest, AFolderIsReadInTheOrderOfItsNames) {
  write("2.csv", "n\n3\n");
  write("1.csv", "n\n1\n2\n");
  write("3.txt", "n\n9\n");
  ASSERT_EQ(run("read_csv", "{path: " + folder_.path().string() + ", fields: {n: int64}}"), "");
  std::vector<std::int64_t> seen;
  for (const Item& item : caught_.items) seen.push_back(*item.get<std::int64_t>("n"));
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST_F(FilesTest, ASourceThatIsOpenedAgainGoesOnWhereItWas) {
  write("a.csv", "n\n1\n2\n3\n");
  const auto source = make("read_csv", "{path: " + path("a.csv") + ", fields: {n: int64}, items: 2}");
  ASSERT_EQ(run(*source), "");
  EXPECT_EQ(caught_.items.size(), 2U);
  ASSERT_TRUE(source->close());
  ASSERT_EQ(run(*source), "");
  EXPECT_EQ(caught_.items.size(), 2U) << "that were all it was to give";
}

TEST_F(FilesTest, ThePaceIsThatOfTheTimes) {
  write("a.csv", "at,n\n100,1\n101,2\n103,3\n");
  const auto source = make("read_csv", "{path: " + path("a.csv") + ", time: at, time_unit: s, fields: {n: int64}, speed: 10}");
  ASSERT_TRUE(open(*source));
  const TimeNs start = clock_.steady_now();
  std::atomic<bool> done{false};
  std::thread caller([&] {
    for (auto more = source->produce(caught_); more && *more;) more = source->produce(caught_);
    done = true;
  });
  while (!done) {
    clock_.advance(kMillisecond);
    std::this_thread::yield();
  }
  caller.join();
  ASSERT_EQ(caught_.items.size(), 3U);
  EXPECT_EQ(caught_.items[1].emitted - caught_.items[0].emitted, 100 * kMillisecond);
  EXPECT_EQ(caught_.items[2].emitted - caught_.items[0].emitted, 300 * kMillisecond);
  EXPECT_GE(clock_.steady_now() - start, 300 * kMillisecond);
}

TEST_F(FilesTest, NdjsonGivesTypedFieldsAndDropsTheRest) {
  write("a.ndjson",
        "{\"at\": 1500, \"device\": \"a\", \"n\": 3, \"ok\": true, \"more\": [1]}\n"
        "{\"at\": 1501, \"device\": null}\n[1]\n{\"at\": 1502, \"n\": 1.5}\n{\"n\": 1}\n{\"at\": 1, \"n\": 18446744073709551615}\n{bad\n");
  ASSERT_EQ(run("read_ndjson", "{path: " + path("a.ndjson") + ", time: at, time_unit: ms, fields: {device: text, n: int64, ok: int64}}"),
            "");
  ASSERT_EQ(caught_.items.size(), 2U);
  EXPECT_EQ(caught_.items[0].event_time, 1500 * kMillisecond);
  EXPECT_EQ(*caught_.items[0].get<std::int64_t>("ok"), 1);
  EXPECT_EQ(caught_.items[1].fields.size(), 0U);
  EXPECT_THAT(caught_.reasons, ElementsAre("no JSON object", "wrong type", "no time", "wrong type", "no JSON object"));
}

TEST_F(FilesTest, MistakesOfOptionsAreFoundBeforeAnythingRuns) {
  const auto mistake = [](std::string_view options) { return testing::make_source("read_csv", options).error().message; };
  EXPECT_THAT(mistake("{path: x, fields: {a: duoble}}"), HasSubstr("did you mean 'double'?"));
  EXPECT_THAT(mistake("{path: x, fields: {a: text}, speed: 1}"), HasSubstr("found 'speed' without 'time'"));
  EXPECT_THAT(mistake("{path: x, fields: {a: text}, separator: ab}"), HasSubstr("expected one character"));
  EXPECT_THAT(mistake("{path: x, fields: {a: text}, time_unit: sec}"), HasSubstr("'sec'"));
}

TEST(ParseTime, ReadsIsoAndNumbers) {
  EXPECT_EQ(parse_time("1970-01-01T00:00:01.000000001Z", "iso8601"), kSecond + 1);
  EXPECT_EQ(parse_time("1969-12-31T23:59:59Z", "iso8601"), -kSecond);
  for (const auto* bad : {"1970-01-01", "1970-02-30T00:00:00Z", "1970-01-01T00:00:00", "1970-01-01T25:00:00Z", "1970-01-01T00:00:00.Z",
                          "1970-01-01T00:00:00.0000000001Z", "1970/01/01T00:00:00Z", "-970-01-01T00:00:00Z", ""})
    EXPECT_FALSE(parse_time(bad, "iso8601")) << bad;
  EXPECT_EQ(parse_time("1.5", "s"), 1500 * kMillisecond);
  EXPECT_EQ(parse_time("-2", "us"), -2 * kMicrosecond);
  for (const auto* bad : {"", "x", "1x", "1e30", "nan", "99999999999999999999"}) EXPECT_FALSE(parse_time(bad, "s")) << bad;
}

}  // namespace
}  // namespace moru::edge
