// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <limits>
#include <map>
#include <mutex>

#include "core/log.h"
#include "core/text.h"
#include "edge/streams/http_ends.h"
#include "edge/streams/record.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

using wire::server::http_error;
using wire::server::HttpAdmission;
using wire::server::HttpAnswer;
using wire::server::HttpHandlers;
using wire::server::HttpRequest;
using wire::server::HttpResponse;
using wire::server::HttpServer;

constexpr std::size_t kMaxRefused = 256;  // records that are no items and wait to be counted
constexpr std::size_t kMaxRefusedBytes = 4096;
constexpr std::size_t kMaxBytes = std::size_t{64} << 20U;  // of bodies that are read, and of those whose items are on their way
constexpr TimeNs kLongestWait = 50 * kMillisecond;         // of one produce()

struct HttpPushOptions {
  HttpListener listener;
  RecordOptions record;
  std::string path = "/";
  std::int64_t queue = 10'000;
  std::int64_t max_body_bytes = 1 << 20;
  std::int64_t items = 0;
  std::string where;
};

HttpResponse busy(std::string_view sentence) {
  HttpResponse response = http_error(503, sentence);
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

/// Takes requests on the server's thread, and answers each when the last of its items has met its end.
class HttpPush final : public SourceStage {
 public:
  explicit HttpPush(HttpPushOptions options)
      : options_(std::move(options)),
        end_(options_.items == 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(options_.items)) {}

  Result<Schema> bind() override { return Schema{.fields = options_.record.fields}; }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    MORU_ASSIGN_OR_RETURN(auto check, TokenCheck::load(options_.listener.token_file));
    MORU_ASSIGN_OR_RETURN(auto options, options_.listener.load());
    options.max_connections = std::clamp<std::size_t>(kMaxBytes / static_cast<std::size_t>(options_.max_body_bytes), 4, 256);
    HttpHandlers handlers;
    handlers.admit = [this, check = std::move(check)](const HttpRequest& head) { return admit(head, check); };
    handlers.handle_later = [this](const HttpRequest& request, HttpAnswer answer) { take(request, std::move(answer)); };
    MORU_ASSIGN_OR_RETURN(server_, HttpServer::start(std::move(options), std::move(handlers)));
    MORU_LOG(kInfo, "http_push listens", "stream", context.stream, "address", options_.listener.address, "port", server_->port());
    return {};
  }

  Result<bool> produce(Output& output) override {
    if (emitted_ >= end_) return false;
    std::vector<BodyMistake> refused;
    std::optional<Request> request;
    {
      std::unique_lock lock(mutex_);
      const TimeNs until = clock_->steady_now() + kLongestWait;
      while (waiting_.empty() && refused_.empty() && clock_->steady_now() < until) clock_->wait_until(lock, wake_, until);
      refused = std::exchange(refused_, {});
      if (!waiting_.empty()) {
        request = std::move(waiting_.front());
        waiting_.pop_front();
        open_[emitted_ + 1] = {request->items.size(), request->bytes, true, std::move(request->answer)};
      }
    }
    for (const auto& one : refused) output.reject(one.reason, one.raw);
    if (!request) return true;
    for (Item& item : request->items) {
      item.sequence = ++emitted_;
      output.emit(std::move(item));
    }
    return true;
  }

  void settle(std::uint64_t sequence, Outcome outcome) override {
    Open done;
    {
      const std::lock_guard lock(mutex_);
      const auto it = std::prev(open_.upper_bound(sequence));  // by the number of its first item
      if (outcome == Outcome::kAgain) it->second.stored = false;
      --unsettled_;
      if (--it->second.left > 0) return;
      done = std::move(it->second);
      unsettled_bytes_ -= done.bytes;
      open_.erase(it);
    }
    done.answer(done.stored ? HttpResponse{} : busy("lost on its way; send it again"));
  }

  /// The stream ends: what has not begun its way is not begun any more.
  Status acknowledge() override {
    std::deque<Request> unheard;
    const std::lock_guard lock(mutex_);
    ended_ = true;
    for (const auto& request : waiting_) {
      unsettled_ -= request.items.size();
      unsettled_bytes_ -= request.bytes;
    }
    unheard.swap(waiting_);  // unanswered, they get 503
    return {};
  }

  void drain_at(std::uint64_t items) override { end_ = std::min(end_.load(), items); }

  Status close() override {
    server_.reset();
    return {};
  }

 private:
  struct Request {
    std::vector<Item> items;
    std::size_t bytes = 0;
    HttpAnswer answer;
  };
  struct Open {
    std::size_t left = 0;  ///< items that have not met their end
    std::size_t bytes = 0;
    bool stored = true;  ///< all that have
    HttpAnswer answer;
  };

  HttpAdmission admit(const HttpRequest& head, const TokenCheck& check) const {
    if (head.path != options_.path) return {0, http_error(404, fmt::format("{}: no such address, expected {}", head.path, options_.path))};
    if (!check.fits(head)) return {0, TokenCheck::refusal()};
    if (head.method != "POST") return {0, http_error(405, fmt::format("found method {}, expected POST", head.method))};
    return {static_cast<std::uint64_t>(options_.max_body_bytes), std::nullopt};
  }

  /// All of a request is taken, or nothing of it.
  void take(const HttpRequest& request, HttpAnswer answer) {
    std::vector<Item> items;
    if (auto mistake = read(request, items)) return answer(refuse(std::move(*mistake)));
    if (items.empty()) return answer(HttpResponse{});
    if (items.size() > static_cast<std::size_t>(options_.queue))
      return answer(http_error(413, fmt::format("found {} items, expected at most {}", items.size(), options_.queue)));
    const std::lock_guard lock(mutex_);
    if (ended_) return answer(busy("the stream ends"));
    const bool large = unsettled_bytes_ > 0 && unsettled_bytes_ + request.body.size() > kMaxBytes;
    if (large || unsettled_ + items.size() > static_cast<std::size_t>(options_.queue))
      return answer(busy("too many items are on their way"));
    unsettled_ += items.size();
    unsettled_bytes_ += request.body.size();
    waiting_.push_back({std::move(items), request.body.size(), std::move(answer)});
    wake_.notify_one();
  }

  std::optional<BodyMistake> read(const HttpRequest& request, std::vector<Item>& items) const {
    Item blank;
    blank.event_time = options_.record.time.empty() ? clock_->wall_now() : 0;
    blank.emitted = clock_->steady_now();
    const bool lines = request.content_type.find("ndjson") != std::string::npos;
    return read_json_body(options_.record, lines, request.body, blank, items);
  }

  /// Counted by produce(): only the stream's thread may.
  HttpResponse refuse(BodyMistake mistake) {
    const std::lock_guard lock(mutex_);
    if (refused_.size() >= kMaxRefused) return busy("too many records that are none");
    if (mistake.raw.size() > kMaxRefusedBytes) mistake.raw.resize(kMaxRefusedBytes);
    wake_.notify_one();
    return http_error(422, refused_.emplace_back(std::move(mistake)).sentence);
  }

  const HttpPushOptions options_;
  Clock* clock_ = nullptr;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Request> waiting_;
  std::map<std::uint64_t, Open> open_;  ///< requests whose items are on their way, by the number of the first
  std::vector<BodyMistake> refused_;
  std::size_t unsettled_ = 0;  ///< items of waiting_ and of open_
  std::size_t unsettled_bytes_ = 0;
  bool ended_ = false;
  std::uint64_t emitted_ = 0;
  std::atomic<std::uint64_t> end_;
  std::unique_ptr<HttpServer> server_;  // last: its handlers use the others
};

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  HttpPushOptions options;
  HttpListenerReader listener;
  std::optional<ConfigObject> fields;
  ConfigReader reader(object);
  listener.read(reader);
  reader.required("fields", &fields);
  reader.optional("time", &options.record.time);
  reader.choice("time_unit", &options.record.time_unit, {"iso8601", "s", "ms", "us", "ns"});
  reader.optional("path", &options.path);
  reader.optional("queue", &options.queue, {.min = 1, .max = 1e6});
  reader.optional("max_body_bytes", &options.max_body_bytes, {.min = 2, .max = 1 << 28});
  reader.optional("items", &options.items, {.min = 0, .max = 1e15});
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_ASSIGN_OR_RETURN(options.listener, listener.finish(object));
  MORU_ASSIGN_OR_RETURN(options.record.fields, read_fields(*fields));
  if (!options.path.starts_with('/'))
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found path {}, expected one that begins with '/'", object.where(), in_quotes(options.path)));
  options.where = object.where();
  return std::make_unique<HttpPush>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_http_push;
const StageSpec kStage_http_push{
    .name = "http_push",
    .kind = StageKind::kSource,
    .doc = R"(Takes items that others post to it: a JSON object, an array of them, or one a line (Content-Type: application/x-ndjson).

Writes  the fields of `fields`; a key that is missing or null leaves its field out

The answer comes when every item of the request has met its end: 200 when all are stored (or filtered away), 503 with Retry-After when one
was lost on its way or the stream ends, and the sender must send them again. 503 with Retry-After also when `queue` items are on their way.
422: one is no record; then nothing of the request is taken, and it is dropped("no JSON object"), ("wrong type") or ("no time"). 401, 404,
405, 413 as usual.

Options
  listen: ADDRESS:PORT   127.0.0.1:0 takes a free port, and logs it
  certificate, key: FILE of the server (PEM); without them it listens to this machine alone,
  plain: false           unless this is true
  token_file: FILE       who sends must show it, as `Authorization: Bearer`
  path: /
  fields: {NAME: TYPE UNIT, ...}   int64, double or text
  time: KEY              the event time; without it the time of arrival
  time_unit: iso8601     or s, ms, us, ns since 1970
  queue: 10000           items on their way; and never more than 64 MiB of them
  max_body_bytes: 1048576
  items: 0               ends after so many; 0: never
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: readings
spec:
  stages:
    - name: door
      stage: http_push
      options: {listen: "127.0.0.1:8080", path: /readings, fields: {device: text, temperature: double degC}, time: at}
    - name: results
      stage: write_json
      inputs: [door]
      options: {path: readings.jsonl}
)",
    .create_source = create,
    .acknowledges = true,
    .needs = "somebody who posts",
};

}  // namespace moru::edge
