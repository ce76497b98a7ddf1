// SPDX-License-Identifier: Apache-2.0
// A receiver of the test's own checks what is sent by the rules of OTLP's JSON.
#include "edge/streams/trace_exporter.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <set>

#include "core/json.h"
#include "core/process.h"
#include "edge/streams/stage_for_test.h"
#include "edge/streams/stages/http_for_test.h"

namespace moru::edge {
namespace {

using ::testing::MatchesRegex;
using testing::Receiver;
using testing::status;

std::vector<Json> spans_of(const Receiver& receiver) {
  std::vector<Json> spans;
  for (const auto& request : receiver.requests()) {
    EXPECT_EQ(request.path, "/v1/traces");
    EXPECT_EQ(request.content_type, "application/json");
    const auto body = parse_json(request.body, "body");
    EXPECT_TRUE(body) << request.body;
    for (const auto& resource : (*body)["resourceSpans"]) {
      EXPECT_EQ(resource["resource"]["attributes"][0]["key"], "service.name");
      EXPECT_EQ(resource["resource"]["attributes"][0]["value"]["stringValue"], "moru");
      for (const auto& scope : resource["scopeSpans"]) {
        for (const auto& span : scope["spans"]) spans.push_back(span);
      }
    }
  }
  return spans;
}

std::string text(const Json& span, const char* key) { return span[key].get<std::string>(); }

void check_rules(const Json& span) {
  EXPECT_THAT(span["traceId"].get<std::string>(), MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(span["spanId"].get<std::string>(), MatchesRegex("[0-9a-f]{16}"));
  EXPECT_NE(span["spanId"], "0000000000000000");
  EXPECT_FALSE(span["name"].get<std::string>().empty());
  // 64-bit numbers are texts.
  const auto begin = std::stoll(span["startTimeUnixNano"].get<std::string>());
  const auto end = std::stoll(span["endTimeUnixNano"].get<std::string>());
  EXPECT_LE(begin, end);
  EXPECT_GT(begin, 1'600'000'000 * kSecond);
  for (const auto& attribute : span["attributes"]) {
    EXPECT_TRUE(attribute["key"].is_string());
    EXPECT_EQ(attribute["value"].size(), 1U);
  }
}

void trace_stream(const std::shared_ptr<TraceExporter>& exporter, double ratio, int items) {
  auto watch = std::make_shared<StreamWatch>();
  watch->spans = exporter;
  watch->span_ratio = ratio;
  StageContext context{.clock = &system_clock(), .resources = {{"watch", watch}}, .stream = {}, .stop = {}};
  const auto stream = testing::start_stream(fmt::format(R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {{name: traced}}
spec:
  stages:
    - {{name: sensors, stage: synthetic, options: {{keys: 2, items: {}}}}}
    - {{name: some, stage: filter, inputs: [sensors], options: {{where: "seq % 2 == 0"}}}}
    - {{name: far, stage: "null", inputs: [{{from: some, queue: 16}}]}}
)",
                                                        items),
                                            std::move(context));
  ASSERT_NE(stream, nullptr);
  testing::run_to_end(*stream);
}

TEST(TraceExporter, SendsOneTraceAnItemAndOneSpanAStage) {
  Receiver receiver([](const auto&) { return status(200); });
  auto exporter = TraceExporter::start({.url = receiver.url(""), .ca = {}}, "traced", system_clock());
  ASSERT_TRUE(exporter) << exporter.error().message;
  trace_stream(*exporter, 1.0, 10);
  exporter->reset();  // sends what waits
  const auto spans = spans_of(receiver);
  ASSERT_EQ(spans.size(), 10U + 10U + 5U);
  std::map<std::string, std::string> roots;  // trace -> span
  for (const auto& span : spans) {
    check_rules(span);
    if (!span.contains("parentSpanId")) {
      EXPECT_EQ(span["name"], "sensors");
      EXPECT_TRUE(roots.emplace(text(span, "traceId"), text(span, "spanId")).second);
    }
  }
  EXPECT_EQ(roots.size(), 10U);
  int dropped = 0;
  for (const auto& span : spans) {
    if (!span.contains("parentSpanId")) continue;
    EXPECT_EQ(text(span, "parentSpanId"), roots[text(span, "traceId")]);
    for (const auto& attribute : span["attributes"]) {
      if (attribute["key"] == "moru.item.dropped") {
        EXPECT_EQ(attribute["value"]["stringValue"], "filtered");
        ++dropped;
      }
    }
  }
  EXPECT_EQ(dropped, 5);
}

TEST(TraceExporter, SamplesWholeItems) {
  Receiver receiver([](const auto&) { return status(200); });
  auto exporter = TraceExporter::start({.url = receiver.url(""), .ca = {}}, "traced", system_clock());
  trace_stream(*exporter, 0.1, 1000);
  exporter->reset();
  std::map<std::string, int> traces;
  for (const auto& span : spans_of(receiver)) ++traces[text(span, "traceId")];
  EXPECT_GT(traces.size(), 50U);
  EXPECT_LT(traces.size(), 200U);
  for (const auto& [trace, spans] : traces) EXPECT_GE(spans, 2) << trace;  // its root, and the filter
}

TEST(TraceExporter, DropsAndCountsWhatNobodyTakes) {
  const auto port = free_port();
  auto exporter = TraceExporter::start({.url = fmt::format("http://127.0.0.1:{}", *port), .ca = {}, .interval = 1, .max_spans = 3},
                                       "traced", system_clock());
  ASSERT_TRUE(exporter);
  for (int i = 0; i < 100; ++i) (*exporter)->take({.item = 1, .stage = "stage", .begin = 1, .end = 2, .outcome = {}});
  while ((*exporter)->counts().dropped < 100) {
    (*exporter)->take({.item = 1, .stage = "stage", .begin = 1, .end = 2, .outcome = {}});
    std::this_thread::yield();
  }
  EXPECT_EQ((*exporter)->counts().sent, 0U);
}

TEST(TraceExporter, TriesAgainWhereTheRulesSaySoAndCountsWhatIsRejected) {
  std::atomic<int> asked = 0;
  Receiver receiver([&](const auto&) {
    if (asked++ == 0) return status(503);
    auto response = status(200);
    response.body = R"({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "no"}})";
    return response;
  });
  auto exporter = TraceExporter::start({.url = receiver.url("/v1/traces"), .ca = {}, .interval = 1}, "traced", system_clock());
  ASSERT_TRUE(exporter);
  (*exporter)->take({.item = 1, .stage = "stage", .begin = 1, .end = 2, .outcome = {}});
  receiver.wait_for(2);
  while ((*exporter)->counts().dropped == 0) std::this_thread::yield();
  EXPECT_EQ((*exporter)->counts().sent, 0U);
}

TEST(TraceExporter, AUrlThatIsNoneIsSaid) {
  EXPECT_FALSE(TraceExporter::start({.url = "localhost:4318", .ca = {}}, "traced", system_clock()));
}

}  // namespace
}  // namespace moru::edge
