// SPDX-License-Identifier: Apache-2.0
#include "wire/http_server/request_head.h"

#include "wire/http_server/url.h"

namespace moru::wire::server {

Result<HttpRequest> read_head(const std::string& peer, std::string_view method, std::string_view target,
                              const std::function<std::string_view(const char* name)>& header) {
  MORU_ASSIGN_OR_RETURN(auto url, parse_target(target));
  HttpRequest request;
  request.method = method == "HEAD" ? "GET" : method;
  request.path = std::move(url.path);
  request.query = std::move(url.query);
  request.authorization = header("Authorization");
  request.cookie = header("Cookie");
  request.range = header("Range");
  request.if_none_match = header("If-None-Match");
  request.content_type = header("Content-Type");
  request.idempotency_key = header("Idempotency-Key");
  request.peer = peer;
  return request;
}

}  // namespace moru::wire::server
