// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/dead_letters.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "core/json.h"
#include "core/text.h"
#include "edge/streams/stage_for_test.h"
#include "edge/streams/stages/http_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DeadLettersTest : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::vector<Json> lines(const std::string& name) const {
    const std::string text = read_file(path(name)).value_or("");
    std::vector<Json> result;
    for (const auto line : split(text, '\n')) {
      if (!line.empty()) result.push_back(parse_json(line, name).value_or(Json()));
    }
    return result;
  }
  std::unique_ptr<Stream> run(const std::string& data, const std::string& letters, const std::string& out) const {
    auto stream = testing::start_stream(fmt::format(R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {{name: line}}
spec:
  dead_letters: {}
  stages:
    - {{name: readings, stage: read_ndjson, options: {{path: {}, fields: {{device: text, value: double}}, time: time, time_unit: ns}}}}
    - {{name: cold, stage: filter, inputs: [readings], options: {{where: "time > 2"}}}}
    - {{name: hot, stage: threshold, inputs: [cold], options: {{field: value, on: 50, off: 40}}}}
    - {{name: results, stage: write_json, inputs: [hot], options: {{path: {}}}}}
)",
                                                    letters, data, out));
    if (stream) testing::run_to_end(*stream);
    return stream;
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-letters"));
};

TEST_F(DeadLettersTest, KeepWhatIsWrongWithAnItemAndCanBeReadAgain) {
  ASSERT_TRUE(write_file_atomic(path("data.ndjson"),
                                "{\"time\": 1, \"device\": \"a\", \"value\": 1}\n"     // filtered
                                "{\"time\": 3, \"device\": \"b\", \"value\": 60.5}\n"  // well
                                "{\"time\": 4, \"device\": \"c\"}\n"                   // no value
                                "rubbish\n"));
  const auto stream = run(path("data.ndjson"), path("dead.ndjson"), path("out.jsonl"));
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(stream->state().dead_letters, 2U);
  const auto letters = lines("dead.ndjson");
  ASSERT_EQ(letters.size(), 2U);
  // Sources and stages share a thread here, but the order is not promised.
  const Json& raw = letters[0].contains("dead.raw") ? letters[0] : letters[1];
  const Json& item = letters[0].contains("dead.raw") ? letters[1] : letters[0];
  EXPECT_EQ(raw["dead.raw"], "rubbish");
  EXPECT_EQ(raw["dead.reason"], "no JSON object");
  EXPECT_EQ(item["dead.stage"], "hot");
  EXPECT_EQ(item["dead.reason"], "field missing");
  EXPECT_EQ(item["device"], "c");
  EXPECT_EQ(item["time"], 4);
  // Mended by hand, the file is a source.
  Json mended = item;
  mended["value"] = 70.0;
  ASSERT_TRUE(write_file_atomic(path("mended.ndjson"), mended.dump() + "\n"));
  ASSERT_NE(run(path("mended.ndjson"), path("dead2.ndjson"), path("out2.jsonl")), nullptr);
  const auto out = lines("out2.jsonl");
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0]["device"], "c");
  EXPECT_EQ(out[0]["alert"], 1);
}

TEST_F(DeadLettersTest, AStageMayHaveItsOwnAndItsOwnReasons) {
  const auto document = ConfigObject::parse("{path: x.ndjson, max_bytes: 5000, reasons: [filtered]}", "test.yaml");
  const auto options = read_dead_letters(*document);
  ASSERT_TRUE(options);
  EXPECT_EQ(options->max_bytes, 5000U);
  EXPECT_THAT(options->reasons, ElementsAre("filtered"));
  FakeClock clock;
  auto own = *options;
  own.path = path("own.ndjson");
  const auto letters = DeadLetters::open(own, "line", clock);
  ASSERT_TRUE(letters);
  (*letters)->add("a", "filtered", "", {});
  (*letters)->add("a", "not a number", "", {});
  EXPECT_EQ(lines("own.ndjson").size(), 1U);
  const auto wrong = read_dead_letters(*ConfigObject::parse("{paht: x}", "test.yaml"));
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("'path'"));
}

TEST_F(DeadLettersTest, StayWithinTheirBound) {
  FakeClock clock;
  const auto letters = DeadLetters::open({.path = path("dead.ndjson"), .max_bytes = 8192, .reasons = {}}, "line", clock);
  ASSERT_TRUE(letters);
  for (std::uint64_t i = 1; i <= 500; ++i) {
    Item item;
    item.sequence = i;
    (*letters)->add("stage", "bad", "detail", item);
  }
  const auto counts = (*letters)->counts();
  EXPECT_EQ(counts.written, 500U);
  EXPECT_EQ(counts.failed, 0U);
  const auto now = lines("dead.ndjson");
  const auto old = lines("dead.ndjson.old");
  EXPECT_EQ(now.size() + old.size() + counts.discarded, 500U);
  EXPECT_EQ(now.back()["seq"], 500);
  EXPECT_LE(std::filesystem::file_size(path("dead.ndjson")) + std::filesystem::file_size(path("dead.ndjson.old")), 8192U);
}

TEST_F(DeadLettersTest, AreAppendedAfterARestart) {
  FakeClock clock;
  for (int i = 0; i < 2; ++i)
    (*DeadLetters::open({.path = path("dead.ndjson"), .reasons = {}}, "line", clock))->add_raw("s", "bad", "\xff\"x");
  EXPECT_EQ(lines("dead.ndjson").size(), 2U);
  EXPECT_FALSE(DeadLetters::open({.path = path("no/folder/x"), .reasons = {}}, "line", clock));
}

}  // namespace
}  // namespace moru::edge
