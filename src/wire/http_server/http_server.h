// SPDX-License-Identifier: Apache-2.0
// An HTTP/1.1 server in plain types, over TLS 1.2 or newer, or plain where that is asked for. What knows Boost.Beast is http_server.cc,
// with the two headers that are parts of it, channel.h and connection.h.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"

namespace moru::wire::server {

struct HttpRequest {
  std::string method;                                     ///< "GET" also for HEAD
  std::string path;                                       ///< decoded; begins with '/', has no "..", no control characters
  std::map<std::string, std::string, std::less<>> query;  ///< decoded
  std::string authorization;
  std::string cookie;
  std::string range;
  std::string if_none_match;
  std::string content_type;
  std::string idempotency_key;
  std::string peer;  ///< common name of the verified client certificate; empty: none shown
  std::string body;
};

struct HttpFile {
  Path path;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<HttpFile> file;  ///< sent instead of the body, in pieces
  bool events = false;           ///< the connection becomes a stream of what broadcast() sends
};

/// What is decided when the head of a request is there and before its body is read.
struct HttpAdmission {
  std::uint64_t max_body_bytes = 0;
  std::optional<HttpResponse> refusal;  ///< answered at once; the body is not read
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";  ///< IPv4 or IPv6
  int port = 0;                       ///< 0: a free one
  bool plain = false;                 ///< without TLS; else certificate and key must be there
  std::string certificate_pem;
  std::string key_pem;
  std::string client_ca_pem;  ///< client certificates are optional; one that is shown must be of this CA; empty: none are asked for
  int threads = 4;
  std::size_t max_connections = 4096;
  std::size_t max_events_behind = 1000;    ///< of a listener
  bool drop_oldest_events = false;         ///< a listener that is so far behind loses the oldest, and is told; else it is cut off
  TimeNs idle_timeout = 60 * kSecond;      ///< between requests of a connection, and for a handshake and a head
  TimeNs request_timeout = 120 * kSecond;  ///< for a body, and for each piece of an answer
};

/// Takes the answer to one request, once, from any thread, now or later; after the server has stopped it does nothing. When all copies
/// are gone without an answer, the other side gets 503.
using HttpAnswer = std::function<void(HttpResponse)>;

struct HttpHandlers {
  std::function<HttpAdmission(const HttpRequest& head)> admit;
  std::function<HttpResponse(HttpRequest request)> handle;
  /// Instead of handle(), for answers that something else has to come before.
  std::function<void(HttpRequest request, HttpAnswer answer)> handle_later;
};

/// Threads: all functions from any thread; handlers are called from several threads at once and may wait for a disk,
/// not for a network.
class HttpServer {
 public:
  /// Errors: kResourceExhausted when the port is in use, kInvalidArgument for bad certificates or an address that is none, kIo.
  static Result<std::unique_ptr<HttpServer>> start(HttpServerOptions options, HttpHandlers handlers);
  /// stop()
  ~HttpServer();
  int port() const;
  /// Sends a server-sent event to every listener. `data`: one line. Never waits.
  void broadcast(std::string_view event, std::string_view data);
  std::size_t listeners() const;
  /// Takes no more connections, lets requests under way end (at most 5 s), ends event streams.
  void stop();

 private:
  struct Core;
  explicit HttpServer(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

/// The answer to an error of the API: {"error": sentence}.
HttpResponse http_error(int status, std::string_view sentence);

}  // namespace moru::wire::server
