// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/trace_exporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "core/json.h"
#include "core/log.h"

namespace moru::edge {
namespace {

constexpr std::size_t kBatch = 512;  // spans; then they go out before the interval is over
constexpr int kAttempts = 3;

/// Not 0, which the rules of OTLP forbid.
std::string span_id(std::uint64_t item, std::string_view stage) {
  std::uint64_t hash = 0xcbf29ce484222325U ^ item;  // FNV-1a
  for (const char c : stage) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return fmt::format("{:016x}", std::max<std::uint64_t>(hash, 1));
}

std::uint64_t random_id() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U | device()) | 1U;
}

Json text_attribute(std::string_view key, std::string_view value) { return {{"key", key}, {"value", {{"stringValue", value}}}}; }

/// Status answers that the rules of OTLP call worth another attempt.
bool is_retryable(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

std::uint64_t rejected_spans(const std::string& body) {
  const auto json = parse_json(body, "answer");
  if (!json || !json->is_object()) return 0;
  const auto partial = json->find("partialSuccess");
  if (partial == json->end() || !partial->is_object()) return 0;
  const auto rejected = partial->find("rejectedSpans");
  if (rejected == partial->end()) return 0;
  // 64-bit numbers are texts in OTLP's JSON; some write them bare.
  const std::string text = rejected->is_string() ? rejected->get<std::string>() : rejected->dump();
  return std::strtoull(text.c_str(), nullptr, 10);
}

}  // namespace

TraceExporter::TraceExporter(TraceOptions options, std::string stream, Clock& clock)
    : options_(std::move(options)), stream_(std::move(stream)), clock_(clock), run_id_(random_id()) {}

Result<std::shared_ptr<TraceExporter>> TraceExporter::start(TraceOptions options, std::string stream, Clock& clock) {
  MORU_RETURN_IF_ERROR(check_url("traces", options.url, true));
  const auto host = options.url.find("://") + 3;
  if (options.url.find('/', host) == std::string::npos) options.url += "/v1/traces";
  std::shared_ptr<TraceExporter> exporter(new TraceExporter(std::move(options), std::move(stream), clock));
  try {
    exporter->thread_ = std::jthread([raw = exporter.get()](const std::stop_token& stop) { raw->run(stop); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::kResourceExhausted, fmt::format("traces: thread: {}, expected one more thread to be had", error.what()));
  }
  return exporter;
}

TraceExporter::~TraceExporter() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void TraceExporter::take(const Span& span) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= options_.max_spans) {
    ++counts_.dropped;
    return;
  }
  waiting_.push_back({span, std::string(span.stage), std::string(span.outcome)});
  if (waiting_.size() == 1 || waiting_.size() == kBatch) wake_.notify_one();
}

TraceCounts TraceExporter::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void TraceExporter::count(std::uint64_t sent, std::uint64_t dropped) {
  const std::lock_guard lock(mutex_);
  counts_.sent += sent;
  counts_.dropped += dropped;
}

void TraceExporter::run(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const std::lock_guard lock(mutex_);
    wake_.notify_all();
  });
  bool last = false;
  while (!last) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return stop.stop_requested() || !waiting_.empty(); });
    const TimeNs due = clock_.steady_now() + options_.interval;
    while (!stop.stop_requested() && waiting_.size() < kBatch && clock_.steady_now() < due) clock_.wait_until(lock, wake_, due);
    last = stop.stop_requested();
    const auto spans = std::exchange(waiting_, {});
    lock.unlock();
    if (!spans.empty()) send(spans, stop);
  }
}

void TraceExporter::send(const std::vector<Kept>& spans, const std::stop_token& stop) {
  wire::HttpOptions http;
  http.plain = true;
  http.ca_file = options_.ca;
  http.machine_ca = options_.ca.empty();
  http.timeout = options_.timeout;
  http.max_response_bytes = std::uint64_t{1} << 20U;
  const std::string body = body_of(spans);
  std::string error;
  for (int attempt = 1; attempt <= kAttempts; ++attempt) {
    const auto answer = client_.post(options_.url, body, http);
    if (answer && answer->status >= 200 && answer->status < 300) {
      const auto rejected = std::min<std::uint64_t>(rejected_spans(answer->body), spans.size());
      return count(spans.size() - rejected, rejected);
    }
    error = answer ? fmt::format("found status {}, expected 2xx", answer->status) : answer.error().message;
    if ((answer && !is_retryable(answer->status)) || stop.stop_requested() || attempt == kAttempts) break;
    const TimeNs until = clock_.steady_now() + (answer ? answer->retry_after.value_or(options_.interval) : options_.interval);
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested() && clock_.steady_now() < until) clock_.wait_until(lock, wake_, until);
  }
  count(0, spans.size());
  MORU_LOG(kWarn, "traces not taken", "url", options_.url, "spans", spans.size(), "error", error);
}

std::string TraceExporter::body_of(const std::vector<Kept>& spans) const {
  const TimeNs to_wall = clock_.wall_now() - clock_.steady_now();
  Json list = Json::array();
  for (const Kept& kept : spans) {
    const Span& span = kept.span;
    Json attributes = Json::array();
    attributes.push_back({{"key", "moru.item.sequence"}, {"value", {{"intValue", fmt::to_string(span.sequence)}}}});
    if (!kept.outcome.empty()) attributes.push_back(text_attribute("moru.item.dropped", kept.outcome));
    Json json = {{"traceId", fmt::format("{:016x}{:016x}", run_id_, span.item)},
                 {"spanId", span_id(span.item, span.is_root ? std::string_view() : kept.stage)},
                 {"name", kept.stage},
                 {"kind", 1},  // internal
                 {"startTimeUnixNano", fmt::to_string(span.begin + to_wall)},
                 {"endTimeUnixNano", fmt::to_string(span.end + to_wall)},
                 {"attributes", std::move(attributes)}};
    if (!span.is_root) json["parentSpanId"] = span_id(span.item, {});
    if (kept.outcome.starts_with("error: ")) json["status"] = {{"code", 2}, {"message", kept.outcome}};
    list.push_back(std::move(json));
  }
  const Json resource = {
      {"attributes",
       {text_attribute("service.name", "moru"), text_attribute("service.version", MORU_VERSION), text_attribute("moru.stream", stream_)}}};
  const Json scope = {{"scope", {{"name", "moru.streams"}}}, {"spans", std::move(list)}};
  const Json body = {{"resourceSpans", Json::array({{{"resource", resource}, {"scopeSpans", Json::array({scope})}}})}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace moru::edge
