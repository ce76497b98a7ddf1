// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/histogram.h"

namespace moru::edge {
namespace {

/// 10 us to 10 s, in ns: from a light stage to a model on a slow node.
constexpr std::array<std::int64_t, 19> kBounds = {
    10'000,     25'000,     50'000,      100'000,     250'000,     500'000,       1'000'000,     2'500'000,     5'000'000,     10'000'000,
    25'000'000, 50'000'000, 100'000'000, 250'000'000, 500'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};

constexpr std::array<std::string_view, 8> kStates = {"running", "overdue", "stale", "waiting", "draining", "finished", "stopped", "failed"};

double seconds(std::int64_t ns) { return static_cast<double>(ns) / static_cast<double>(kSecond); }

/// A label's value: backslash, quote and line break are escaped.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result;
}

std::string label(std::string_view name, std::string_view value) { return fmt::format("{}=\"{}\"", name, escaped(value)); }

/// Writes families one after the other, each with its samples together.
class Page {
 public:
  explicit Page(std::string_view stream) : common_(label("stream", stream)) {}
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  }
  template <class T>
  void sample(T value, std::string_view labels = {}, std::string_view suffix = {}) {
    text_ += fmt::format("{}{}{{{}{}{}}} {}\n", name_, suffix, common_, labels.empty() ? "" : ",", labels, value);
  }
  void histogram(const Histogram& histogram, const std::string& labels = {}) {
    const auto counts = histogram.counts_up_to(kBounds);
    const std::string comma = labels.empty() ? "" : ",";
    for (std::size_t i = 0; i < kBounds.size(); ++i)
      sample(counts[i], fmt::format("{}{}le=\"{}\"", labels, comma, seconds(kBounds[i])), "_bucket");
    sample(counts.back(), labels + comma + "le=\"+Inf\"", "_bucket");
    sample(static_cast<double>(histogram.sum()) / static_cast<double>(kSecond), labels, "_sum");
    sample(counts.back(), labels, "_count");
  }
  std::string take() { return std::move(text_); }

 private:
  const std::string common_;
  std::string name_;
  std::string text_;
};

void write_stream(Page& page, const StreamState& state, const Stream& stream) {
  page.family("moru_stream_state", "gauge", "1 for the state that the stream is in.");
  for (const auto one : kStates) page.sample(state.state.starts_with(one) ? 1 : 0, label("state", one));
  page.family("moru_stream_items_total", "counter", "Items that the sources have emitted.");
  page.sample(state.items);
  page.family("moru_stream_missed_items_total", "counter", "Items that were due and that a source could not hand on.");
  page.sample(state.missed);
  page.family("moru_stream_dead_letters_total", "counter", "Rejected items that were written to the file of dead letters.");
  page.sample(state.dead_letters);
  page.family("moru_stream_dead_letters_lost_total", "counter",
              "Rejected items that could not be written there, or went with an old file.");
  page.sample(state.dead_letters_lost);
  page.family("moru_stream_latency_seconds", "histogram", "From when an item was due at its source to the end of a sink.");
  page.histogram(stream.latency());
}

void write_links(Page& page, const std::vector<wire::LinkLedger>& links) {
  const auto each = [&](auto value) {
    for (const auto& link : links) page.sample(link.*value, label("link", link.link));
  };
  page.family("moru_stream_link_in_items_total", "counter", "Items that were put into the link.");
  each(&wire::LinkLedger::in);
  page.family("moru_stream_link_out_items_total", "counter", "Items that have left the link to their reader.");
  each(&wire::LinkLedger::out);
  page.family("moru_stream_link_in_flight_items", "gauge", "Items in the link's queue, or sent and not acknowledged.");
  each(&wire::LinkLedger::in_flight);
  page.family("moru_stream_link_stored_items", "gauge", "Items of the link on disk, and not sent yet.");
  each(&wire::LinkLedger::stored);
  page.family("moru_stream_link_dropped_items_total", "counter", "Items that the link has dropped, by reason.");
  for (const auto& link : links) {
    for (const auto& [reason, count] : link.dropped) page.sample(count, label("link", link.link) + "," + label("reason", reason));
  }
}

void write_stages(Page& page, const StreamState& state, const Stream& stream) {
  const auto each = [&](auto value) {
    for (const auto& stage : state.stages) page.sample(stage.*value, label("stage", stage.name));
  };
  page.family("moru_stream_stage_consumed_items_total", "counter", "Items that the stage has taken from its inputs.");
  each(&StageCounts::consumed);
  page.family("moru_stream_stage_emitted_items_total", "counter", "Items that the stage has handed on.");
  each(&StageCounts::emitted);
  page.family("moru_stream_stage_used_items_total", "counter", "Items that are in what the stage has emitted or written.");
  each(&StageCounts::used);
  page.family("moru_stream_stage_held_items", "gauge", "Items that the stage has taken and whose end is not met yet.");
  each(&StageCounts::held);
  page.family("moru_stream_stage_dropped_items_total", "counter", "Items that go no further than the stage, by reason.");
  for (const auto& stage : state.stages) {
    for (const auto& [reason, count] : stage.dropped) page.sample(count, label("stage", stage.name) + "," + label("reason", reason));
  }
  page.family("moru_stream_stage_unsettled_items", "gauge",
              "Items of a source that it has not acknowledged yet, as their end is not known.");
  each(&StageCounts::unsettled);
  page.family("moru_stream_stage_overdue_total", "counter", "Calls of the stage that took longer than its deadline_ms.");
  each(&StageCounts::overdue);
  page.family("moru_stream_stage_stale", "gauge", "1 while the stage waits to be opened again.");
  for (const auto& stage : state.stages) page.sample(stage.stale.empty() ? 0 : 1, label("stage", stage.name));
  const auto times = stream.histograms();
  if (times.empty()) return;
  page.family("moru_stream_stage_busy_seconds", "histogram", "Time of the stage for an item; one item is measured in a millisecond.");
  for (const auto& row : times) page.histogram(*row.busy, label("stage", row.stage));
  page.family("moru_stream_stage_age_seconds", "histogram", "Age of an item when the stage begins with it, of those that are measured.");
  for (const auto& row : times) page.histogram(*row.age, label("stage", row.stage));
}

}  // namespace

std::string metrics_text(std::string_view name, const StreamState& state, const Stream& stream, std::optional<TraceCounts> traces) {
  Page page(name);
  page.family("moru_stream_info", "gauge", "The version of Moru that runs the stream.");
  page.sample(1, label("version", MORU_VERSION));
  write_stream(page, state, stream);
  write_links(page, state.ledger);
  write_stages(page, state, stream);
  if (traces) {
    page.family("moru_stream_trace_spans_sent_total", "counter", "Spans that the receiver of traces has taken.");
    page.sample(traces->sent);
    page.family("moru_stream_trace_spans_dropped_total", "counter", "Spans that nobody took in time.");
    page.sample(traces->dropped);
  }
  return page.take();
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const HttpListener& listener, std::function<std::string()> page) {
  using namespace wire::server;
  MORU_ASSIGN_OR_RETURN(auto options, listener.load());
  options.max_connections = 16;
  HttpHandlers handlers;
  handlers.admit = [](const HttpRequest& head) -> HttpAdmission {
    if (head.method != "GET") return {0, http_error(405, fmt::format("{}: found method {}, expected GET", head.path, head.method))};
    if (head.path != "/metrics") return {0, http_error(404, fmt::format("{}: no such address, expected /metrics", head.path))};
    return {};
  };
  handlers.handle = [page = std::move(page)](const HttpRequest&) {
    HttpResponse response;
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = page();
    return response;
  };
  MORU_ASSIGN_OR_RETURN(auto server, HttpServer::start(std::move(options), std::move(handlers)));
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(server)));
}

}  // namespace moru::edge
