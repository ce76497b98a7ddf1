// SPDX-License-Identifier: Apache-2.0
// What stages that speak HTTP are told in their options: whom they post to, or where they listen.
#pragma once

#include <string>
#include <string_view>

#include "core/config.h"
#include "core/files.h"
#include "core/result.h"
#include "wire/http.h"
#include "wire/http_server/http_server.h"

namespace moru::edge {

/// Whom to post to.
struct HttpTarget {
  std::string url;
  wire::HttpOptions options;
  Path token_file;  ///< empty: no token is shown

  /// Reads the token's file. Errors: those of reading it; kInvalidArgument for what is no token.
  Status load();
};

/// The options `url, ca, certificate, key, token_file, plain, timeout_ms`; the reader is finished by the caller.
struct HttpTargetReader {
  HttpTarget target;
  std::string ca, certificate, key, token_file;
  double timeout_ms = 10'000.0;
  void read(ConfigReader& reader);
  Result<HttpTarget> finish(const ConfigObject& object);
};

/// `http://` only where that is said, and nothing but the two schemes. `where` begins the message.
Status check_url(std::string_view where, std::string_view url, bool plain);

/// Where to listen.
struct HttpListener {
  std::string address;
  int port = 0;
  Path certificate, key;  ///< empty: without TLS
  Path token_file;        ///< empty: nobody has to show a token

  /// Reads the files. Errors: those of reading them.
  Result<wire::server::HttpServerOptions> load() const;
};

/// The options `listen, certificate, key, token_file, plain`; the reader is finished by the caller.
struct HttpListenerReader {
  std::string listen, certificate, key, token_file;
  bool plain = false;
  void read(ConfigReader& reader);
  /// Without TLS only this machine is listened to, unless `plain` says otherwise.
  Result<HttpListener> finish(const ConfigObject& object) const;
};

/// "127.0.0.1:8080", "[::1]:8080", ":8080" (this machine alone). `where` begins the message.
Result<HttpListener> parse_listen(std::string_view where, std::string_view text);

/// Who may ask: whoever shows the token as "Authorization: Bearer ..." (or, where a browser must, as ?token=...). Threads: any.
class TokenCheck {
 public:
  /// Empty: everybody.
  static Result<TokenCheck> load(const Path& token_file);
  bool fits(const wire::server::HttpRequest& request) const;
  /// What the others are told.
  static wire::server::HttpResponse refusal();

 private:
  std::string sha256_;  // digests are compared, so the time it takes tells nothing about the token
};

}  // namespace moru::edge
