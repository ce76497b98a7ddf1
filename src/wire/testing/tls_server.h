// SPDX-License-Identifier: Apache-2.0
// A small HTTPS server for tests: loopback, a port of its own, one exchange a connection, one connection at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/result.h"

namespace moru::wire::testing {

struct TestRequest {
  std::string method;
  std::string path;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  std::string client_name;  ///< common name of the client's certificate; empty: none shown
};

struct TestResponse {
  int status = 200;
  std::string body;
  std::string content_range;                 ///< header; empty: none
  std::optional<std::size_t> break_after{};  ///< closes the connection after so many bytes of the body
  bool hang = false;                         ///< answers nothing until the server dies
};

struct TlsServerOptions {
  std::string certificate_pem;
  std::string key_pem;
  std::string client_ca_pem;  ///< clients may show certificates of this CA; empty: none is asked for
};

class TlsServer {
 public:
  using Handler = std::function<TestResponse(const TestRequest&)>;
  /// `handler` is called on the server's thread.
  static Result<std::unique_ptr<TlsServer>> start(const TlsServerOptions& options, Handler handler);
  ~TlsServer();
  int port() const;
  /// "https://127.0.0.1:PORT" + path
  std::string url(const std::string& path = "") const;

 private:
  TlsServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Answers a GET of `bytes` as a server that knows ranges.
TestResponse serve_bytes(const TestRequest& request, const std::string& bytes);

}  // namespace moru::wire::testing
