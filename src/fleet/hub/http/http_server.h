// SPDX-License-Identifier: Apache-2.0
// An HTTPS server (HTTP/1.1 over TLS 1.2 or newer) in plain types. The one file that knows Boost.Beast is http_server.cc.
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

namespace moru::fleet {

struct HttpRequest {
  std::string method;                                     ///< "GET" also for HEAD
  std::string path;                                       ///< decoded; begins with '/', has no "..", no control characters
  std::map<std::string, std::string, std::less<>> query;  ///< decoded
  std::string authorization;
  std::string cookie;
  std::string range;
  std::string if_none_match;
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
  int port = 0;  ///< on 127.0.0.1; 0: a free one
  std::string certificate_pem;
  std::string key_pem;
  std::string client_ca_pem;  ///< client certificates are optional; one that is shown must be of this CA
  int threads = 4;
  std::size_t max_connections = 4096;
  TimeNs idle_timeout = 60 * kSecond;      ///< between requests of a connection, and for a handshake and a head
  TimeNs request_timeout = 120 * kSecond;  ///< for a body, and for each piece of an answer
};

struct HttpHandlers {
  std::function<HttpAdmission(const HttpRequest& head)> admit;
  std::function<HttpResponse(HttpRequest request)> handle;
};

/// Threads: all functions from any thread; handlers are called from several threads at once and may wait for a disk,
/// not for a network.
class HttpServer {
 public:
  /// Errors: kResourceExhausted when the port is in use, kInvalidArgument for bad certificates.
  static Result<std::unique_ptr<HttpServer>> start(HttpServerOptions options, HttpHandlers handlers);
  /// stop()
  ~HttpServer();
  int port() const;
  /// Sends a server-sent event to every listener; one that is 1,000 events behind is cut off.
  void broadcast(std::string_view event, std::string_view data);
  /// Takes no more connections, lets requests under way end (at most 5 s), ends event streams.
  void stop();

 private:
  struct Core;
  explicit HttpServer(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

/// The answer to an error of the API: {"error": sentence}.
HttpResponse http_error(int status, std::string_view sentence);

}  // namespace moru::fleet
