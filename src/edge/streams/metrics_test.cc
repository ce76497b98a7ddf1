// SPDX-License-Identifier: Apache-2.0
// The page is read back by a parser of Prometheus' text format, and compared with the stream's own counts.
#include "edge/streams/metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
#include "edge/streams/observation.h"
#include "edge/streams/stage_for_test.h"
#include "edge/streams/stages/http_for_test.h"
#include "wire/http.h"

namespace moru::edge {
namespace {

/// name{labels in the order of their names} -> value; every rule of the format that is broken is a failure.
class Parsed {
 public:
  explicit Parsed(std::string_view text) {
    EXPECT_TRUE(text.ends_with('\n'));
    for (const auto line : split(text, '\n')) {
      if (line.starts_with("# HELP ")) {
        EXPECT_TRUE(helped_.insert(word(line.substr(7))).second) << line;
      } else if (line.starts_with("# TYPE ")) {
        family_ = word(line.substr(7));
        types_[family_] = line.substr(8 + family_.size());
      } else if (!line.empty()) {
        read_sample(line);
      }
    }
    for (const auto& [family, type] : types_) {
      EXPECT_TRUE(helped_.contains(family)) << family;
      EXPECT_EQ(type == "counter", family.ends_with("_total")) << family;
    }
  }
  double value(const std::string& name, const std::map<std::string, std::string>& labels = {}) const {
    const auto it = samples_.find({name, labels});
    EXPECT_NE(it, samples_.end()) << name;
    return it == samples_.end() ? -1.0 : it->second;
  }
  const auto& samples() const { return samples_; }

 private:
  static std::string word(std::string_view text) { return std::string(text.substr(0, text.find(' '))); }
  void read_sample(std::string_view line) {
    const auto brace = line.find('{');
    ASSERT_NE(brace, std::string_view::npos) << line;
    const std::string name(line.substr(0, brace));
    EXPECT_TRUE(name.starts_with(family_)) << "samples of a family stand together: " << line;
    std::map<std::string, std::string> labels;
    std::size_t at = brace + 1;
    while (line[at] != '}') {
      const auto equals = line.find("=\"", at);
      const std::string label(line.substr(at, equals - at));
      std::string text;
      for (at = equals + 2; line[at] != '"'; ++at) {
        if (line[at] == '\\') {
          ++at;
          text += line[at] == 'n' ? '\n' : line[at];
        } else {
          text += line[at];
        }
      }
      labels[label] = text;
      at += line[at + 1] == ',' ? 2 : 1;
    }
    labels.erase("stream");
    EXPECT_TRUE(samples_.emplace(std::pair(name, labels), std::stod(std::string(line.substr(at + 2)))).second) << line;
  }
  std::string family_;
  std::set<std::string> helped_;
  std::map<std::string, std::string> types_;
  std::map<std::pair<std::string, std::map<std::string, std::string>>, double> samples_;
};

std::unique_ptr<Stream> run_stream() {
  auto watch = std::make_shared<StreamWatch>();
  watch->times = true;
  StageContext context{.clock = &system_clock(), .resources = {{"watch", watch}}, .stream = {}, .stop = {}};
  auto stream = testing::start_stream(R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {name: seen}
spec:
  stages:
    - {name: sensors, stage: synthetic, options: {keys: 2, items: 5000}}
    - {name: some, stage: filter, inputs: [sensors], options: {where: "seq % 2 == 0"}}
    - {name: "end", stage: "null", inputs: [{from: some, queue: 16}]}
)",
                                      std::move(context));
  if (stream) testing::run_to_end(*stream);
  return stream;
}

TEST(Metrics, SayWhatTheStreamSays) {
  const auto stream = run_stream();
  ASSERT_NE(stream, nullptr);
  const auto state = stream->state();
  const Parsed page(metrics_text("seen", state, *stream, TraceCounts{5, 2}));
  EXPECT_EQ(page.value("moru_stream_state", {{"state", "finished"}}), 1.0);
  EXPECT_EQ(page.value("moru_stream_state", {{"state", "running"}}), 0.0);
  EXPECT_EQ(page.value("moru_stream_items_total"), 5000.0);
  EXPECT_EQ(page.value("moru_stream_trace_spans_dropped_total"), 2.0);
  for (const auto& link : state.ledger) {
    EXPECT_EQ(page.value("moru_stream_link_in_items_total", {{"link", link.link}}), static_cast<double>(link.in));
    EXPECT_EQ(page.value("moru_stream_link_out_items_total", {{"link", link.link}}), static_cast<double>(link.out));
    EXPECT_EQ(page.value("moru_stream_link_in_flight_items", {{"link", link.link}}), 0.0);
  }
  for (const auto& stage : state.stages) {
    EXPECT_EQ(page.value("moru_stream_stage_consumed_items_total", {{"stage", stage.name}}), static_cast<double>(stage.consumed));
    for (const auto& [reason, count] : stage.dropped)
      EXPECT_EQ(page.value("moru_stream_stage_dropped_items_total", {{"stage", stage.name}, {"reason", reason}}),
                static_cast<double>(count));
  }
  EXPECT_EQ(page.value("moru_stream_stage_dropped_items_total", {{"stage", "some"}, {"reason", "filtered"}}), 2500.0);
  EXPECT_EQ(page.value("moru_stream_latency_seconds_count"), 2500.0);
  EXPECT_EQ(page.value("moru_stream_latency_seconds_bucket", {{"le", "+Inf"}}), 2500.0);
  EXPECT_GT(page.value("moru_stream_stage_busy_seconds_count", {{"stage", "some"}}), 0.0);
  EXPECT_GT(page.value("moru_stream_stage_age_seconds_count", {{"stage", "end"}}), 0.0);
}

TEST(Metrics, SayWhoIsLateAndWhatIsNotAcknowledged) {
  const auto stream = run_stream();
  StreamState state;
  state.state = "overdue: slow: at one item for 2.0 s, expected at most 0.100 s";
  state.stages.push_back({.name = "slow", .dropped = {}, .unsettled = 7, .overdue = 3, .stale = {}});
  const Parsed page(metrics_text("seen", state, *stream, std::nullopt));
  EXPECT_EQ(page.value("moru_stream_state", {{"state", "overdue"}}), 1.0);
  EXPECT_EQ(page.value("moru_stream_stage_unsettled_items", {{"stage", "slow"}}), 7.0);
  EXPECT_EQ(page.value("moru_stream_stage_overdue_total", {{"stage", "slow"}}), 3.0);
  const Json report = stream_report("seen", state, 1.0, nullptr);
  EXPECT_EQ(report["stages"][0]["unsettled"], 7);
  EXPECT_EQ(report["stages"][0]["overdue"], 3);
}

TEST(Metrics, BucketsNeverFall) {
  const auto stream = run_stream();
  ASSERT_NE(stream, nullptr);
  const Parsed page(metrics_text("seen", stream->state(), *stream, std::nullopt));
  std::map<double, double> buckets;
  for (const auto& [key, value] : page.samples()) {
    if (key.first == "moru_stream_latency_seconds_bucket" && key.second.at("le") != "+Inf") buckets[std::stod(key.second.at("le"))] = value;
  }
  EXPECT_EQ(buckets.size(), 19U);
  double last = 0.0;
  for (const auto& [bound, count] : buckets) {
    EXPECT_GE(count, last) << bound;
    last = count;
  }
  EXPECT_LE(last, 2500.0);
}

TEST(Metrics, NamesFromOutsideAreEscaped) {
  const auto stream = run_stream();
  StreamState state;
  state.state = "failed: \"x\"";
  wire::LinkLedger link;
  link.link = "a\\b\"c\nd";
  link.in = 3;
  state.ledger.push_back(link);
  const Parsed page(metrics_text("se\"en", state, *stream, std::nullopt));
  EXPECT_EQ(page.value("moru_stream_link_in_items_total", {{"link", "a\\b\"c\nd"}}), 3.0);
  EXPECT_EQ(page.value("moru_stream_state", {{"state", "failed"}}), 1.0);
}

TEST(MetricsServer, AnswersItsOneAddress) {
  const auto listener = parse_listen("metrics", "127.0.0.1:0");
  ASSERT_TRUE(listener);
  const auto server = MetricsServer::start(*listener, [] { return std::string("page\n"); });
  ASSERT_TRUE(server) << server.error().message;
  wire::HttpOptions options;
  options.plain = true;
  const auto url = fmt::format("http://127.0.0.1:{}", (*server)->port());
  const auto page = wire::http_get(url + "/metrics", options);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->body, "page\n");
  EXPECT_EQ(wire::http_get(url + "/", options)->status, 404);
  EXPECT_EQ(wire::http_post(url + "/metrics", "x", options)->status, 405);
}

}  // namespace
}  // namespace moru::edge
