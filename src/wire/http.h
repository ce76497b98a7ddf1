// SPDX-License-Identifier: Apache-2.0
// An HTTPS client for what is too big or too early for MQTT (joining, artefacts), and for streams that hand their items to others.
// The ones that know libcurl are http.cc and curl.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"

namespace moru::wire {

struct HttpOptions {
  Path ca_file;             ///< trusted CA; must be set unless `insecure` or `machine_ca`
  bool machine_ca = false;  ///< those that the machine trusts, where `ca_file` is empty
  bool plain = false;       ///< http:// addresses, too
  Path certificate_file;    ///< client certificate; empty: none
  Path key_file;
  /// Only to fetch the CA certificate whose fingerprint is then compared with the token's.
  bool insecure = false;
  std::string bearer;                                        ///< "Authorization: Bearer ..."; empty: none
  std::string content_type = "application/json";             ///< of what is posted
  std::vector<std::pair<std::string, std::string>> headers;  ///< more of them; names and values without line breaks
  /// For the whole exchange; for a download, the longest time without a byte.
  TimeNs timeout = 30 * kSecond;
  /// Asked now and then, at least once a second; true ends the exchange with kCancelled. May be empty.
  std::function<bool()> cancelled;
  std::uint64_t max_response_bytes = std::uint64_t{1} << 30U;
};

struct HttpResponse {
  int status = 0;
  std::string body;
  std::optional<TimeNs> retry_after = std::nullopt;  ///< what the answer says of when to come again
};

/// `url` is https://, unless the options allow more. Proxies of the environment are not used: a node talks to its hub directly. Threads:
/// any.
///
/// Any status is a response; only a failed exchange is an error: kUnavailable (nobody answers), kDeadlineExceeded,
/// kCorrupt (TLS: certificate not trusted), kResourceExhausted (too big), kCancelled. The body is JSON unless it is empty.
Result<HttpResponse> http_get(const std::string& url, const HttpOptions& options);
Result<HttpResponse> http_post(const std::string& url, std::string_view body, const HttpOptions& options);
Result<HttpResponse> http_put(const std::string& url, std::string_view body, const HttpOptions& options);

/// The same, with the connection kept for the next call. Threads: one at a time.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  Result<HttpResponse> get(const std::string& url, const HttpOptions& options);
  Result<HttpResponse> post(const std::string& url, std::string_view body, const HttpOptions& options);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

/// The body when the status is 2xx, else an error made of the response's {"error": "..."} text: 400, 422 kInvalidArgument,
/// 401, 403 kInvalidArgument, 404 kNotFound, 409, 410 kInvalidArgument, 503 kUnavailable, else kInternal.
Result<std::string> expect_success(Result<HttpResponse> response, std::string_view where);

/// Downloads to `path`, resuming a part that is there (`path`.part; HTTP range), until `size` bytes are there. Atomic:
/// the file has its name only when whole. A broken exchange is kUnavailable and leaves the part for the next call.
/// What the bytes are is for the caller to check: a wrong file must be removed by him.
Status http_download(const std::string& url, const Path& path, std::uint64_t size, const HttpOptions& options);

}  // namespace moru::wire
