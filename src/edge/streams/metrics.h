// SPDX-License-Identifier: Apache-2.0
// A running stream as Prometheus reads it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "edge/streams/http_ends.h"
#include "edge/streams/stream.h"

namespace moru::edge {

/// What is told beside the stream itself.
struct TraceCounts {
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;  ///< spans that nobody took in time
};

/// Prometheus' text exposition format, 0.0.4: counters end in _total, times are in seconds, each family has HELP and TYPE. The series are
/// as many as the stream has stages, links and reasons (at most 17 each): they do not grow with what flows. `state` may have links more
/// than the stream (an outbox).
std::string metrics_text(std::string_view name, const StreamState& state, const Stream& stream, std::optional<TraceCounts> traces);

/// Answers GET /metrics. Threads: any.
class MetricsServer {
 public:
  /// `page` is called by the server's thread, for each request. Errors: those of HttpServer::start.
  static Result<std::unique_ptr<MetricsServer>> start(const HttpListener& listener, std::function<std::string()> page);
  int port() const { return server_->port(); }

 private:
  explicit MetricsServer(std::unique_ptr<wire::server::HttpServer> server) : server_(std::move(server)) {}
  std::unique_ptr<wire::server::HttpServer> server_;
};

}  // namespace moru::edge
