// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/json.h"
#include "core/log.h"
#include "core/plot.h"
#include "edge/streams/http_ends.h"
#include "edge/streams/item_json.h"
#include "edge/streams/stage.h"
#include "edge/streams/stages/live_view_page.h"

namespace moru::edge {
namespace {

using wire::server::HttpAdmission;
using wire::server::HttpHandlers;
using wire::server::HttpRequest;
using wire::server::HttpResponse;
using wire::server::HttpServer;

struct LiveViewOptions {
  HttpListener listener;
  std::vector<std::string> fields;
  double max_rate_hz = 50.0;
  std::int64_t behind = 200;
  std::string where;
};

class LiveView final : public Stage {
 public:
  explicit LiveView(LiveViewOptions options) : options_(std::move(options)), gap_(period_of(options_.max_rate_hz)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    for (const auto& field : options_.fields) MORU_RETURN_IF_ERROR(inputs[0].need(options_.where, field));
    return std::vector<Schema>{};
  }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    MORU_ASSIGN_OR_RETURN(auto check, TokenCheck::load(options_.listener.token_file));
    MORU_ASSIGN_OR_RETURN(auto options, options_.listener.load());
    options.drop_oldest_events = true;
    options.max_events_behind = static_cast<std::size_t>(options_.behind);
    HttpHandlers handlers;
    handlers.admit = [check = std::move(check)](const HttpRequest& head) -> HttpAdmission {
      if (head.path != "/view.js" && !check.fits(head)) return {0, TokenCheck::refusal()};  // the script is no secret
      return {};
    };
    page_ = page_of(context.stream);
    handlers.handle = [this](const HttpRequest& request) { return answer(request); };
    MORU_ASSIGN_OR_RETURN(server_, HttpServer::start(std::move(options), std::move(handlers)));
    MORU_LOG(kInfo, "live view", "stream", context.stream, "address", options_.listener.address, "port", server_->port());
    return {};
  }

  Status process(Item&& item, Output& output) override {
    if (server_->listeners() == 0) return {};
    const TimeNs now = clock_->steady_now();
    if (now < next_) return drop(output, "rate");
    next_ = now + gap_;
    server_->broadcast("item", item_json(item, options_.fields, now).dump(-1, ' ', false, Json::error_handler_t::replace));
    return {};
  }

  Status close() override {
    server_.reset();
    return {};
  }

 private:
  static std::string page_of(std::string_view stream) {
    constexpr std::string_view kHere = "{stream}";
    std::string page(kLivePage);
    const std::string name = escape_html(stream);
    for (auto at = page.find(kHere); at != std::string::npos; at = page.find(kHere, at + name.size())) page.replace(at, kHere.size(), name);
    return page;
  }

  HttpResponse answer(const HttpRequest& request) const {
    HttpResponse response;
    if (request.method != "GET") return wire::server::http_error(405, "expected GET");
    if (request.path == "/") {
      response.content_type = "text/html; charset=utf-8";
      response.body = page_;
    } else if (request.path == "/view.js") {
      response.content_type = "text/javascript; charset=utf-8";
      response.body = kLiveScript;
    } else if (request.path == "/events") {
      response.events = true;
    } else {
      return wire::server::http_error(404, "no such address, expected / or /events");
    }
    return response;
  }

  const LiveViewOptions options_;
  const TimeNs gap_;
  Clock* clock_ = nullptr;
  TimeNs next_ = 0;
  std::string page_;
  std::unique_ptr<HttpServer> server_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  LiveViewOptions options;
  HttpListenerReader listener;
  ConfigReader reader(object);
  listener.read(reader);
  reader.optional("fields", &options.fields);
  reader.optional("max_rate_hz", &options.max_rate_hz, {.min = 0.01, .max = 10'000.0});
  reader.optional("behind", &options.behind, {.min = 1, .max = 100'000});
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_ASSIGN_OR_RETURN(options.listener, listener.finish(object));
  options.where = object.where();
  return std::make_unique<LiveView>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_live_view;
const StageSpec kStage_live_view{
    .name = "live_view",
    .kind = StageKind::kSink,
    .doc =
        R"(Shows items as they come to whoever looks: a page at / with a line for each number, and the items themselves at /events, as server-sent
events.

Reads   every number and text field but notes (names with a dot), or those of `fields`; tensors are left out

An event `item` has {"seq", "time" (ns since 1970), fields, "latency_us"} as JSON. Items that come faster than max_rate_hz are
dropped("rate"); a looker who is more than `behind` items too slow loses the oldest, and is told by an event `lost` {"events": N}. Where
nobody looks nothing is done.

Options
  listen: ADDRESS:PORT   127.0.0.1:0 takes a free port, and logs it
  certificate, key: FILE of the server (PEM); without them it listens to this machine alone,
  plain: false           unless this is true
  token_file: FILE       who looks must show it, as `Authorization: Bearer` or ?token=
  max_rate_hz: 50
  behind: 200            items
  fields: [NAME, ...]    all
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: look
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 2, items: 1000, period_ms: 10}
    - name: screen
      stage: live_view
      inputs: [sensors]
      options: {listen: "127.0.0.1:0", max_rate_hz: 20}
)",
    .create = create,
};

}  // namespace moru::edge
