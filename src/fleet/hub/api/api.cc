// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/api/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/digest.h"
#include "core/json.h"
#include "core/text.h"
#include "fleet/hub/api/assets.h"
#include "fleet/hub/api/endpoints.h"

namespace moru::fleet {
namespace {

enum class Access { kAnyone, kOperator, kNodeOrOperator };

constexpr std::uint64_t kSmall = 64 * 1024;
constexpr std::uint64_t kLargestBundle = std::uint64_t{1} << 30U;

}  // namespace

struct Api::Route {
  std::string_view method;
  std::string_view pattern;  // one '*' stands for one part of the path
  Access access;
  std::uint64_t max_body;
  Endpoint endpoint;
};

namespace {

constexpr std::array kRoutes = {
    Api::Route{"GET", "/v1/ca", Access::kAnyone, 0, get_ca},
    Api::Route{"POST", "/v1/join", Access::kAnyone, kSmall, post_join},
    Api::Route{"POST", "/v1/tokens", Access::kOperator, kSmall, post_token},
    Api::Route{"PUT", "/v1/releases", Access::kOperator, kLargestBundle, put_release},
    Api::Route{"GET", "/v1/releases", Access::kOperator, 0, get_releases},
    Api::Route{"GET", "/v1/releases/*/bundle", Access::kNodeOrOperator, 0, get_bundle},
    Api::Route{"GET", "/v1/nodes", Access::kOperator, 0, get_nodes},
    Api::Route{"GET", "/v1/nodes/*", Access::kOperator, 0, get_node},
    Api::Route{"POST", "/v1/nodes/*/drain", Access::kOperator, kSmall, post_drain},
    Api::Route{"POST", "/v1/rollouts", Access::kOperator, kSmall * 16, post_rollout},
    Api::Route{"GET", "/v1/rollouts", Access::kOperator, 0, get_rollouts},
    Api::Route{"GET", "/v1/rollouts/*", Access::kOperator, 0, get_rollout},
    Api::Route{"POST", "/v1/rollouts/*/abort", Access::kOperator, kSmall, post_abort},
    Api::Route{"GET", "/v1/records", Access::kOperator, 0, get_records},
    Api::Route{"GET", "/v1/summary", Access::kOperator, 0, get_summary},
    Api::Route{"GET", "/v1/events", Access::kOperator, 0, get_events},
};

bool matches(std::string_view pattern, std::string_view path, std::string* part) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == path;
  const auto tail = pattern.substr(star + 1);
  if (path.size() <= star + tail.size() || !path.starts_with(pattern.substr(0, star)) || !path.ends_with(tail)) return false;
  const auto middle = path.substr(star, path.size() - star - tail.size());
  if (middle.find('/') != std::string_view::npos) return false;
  *part = middle;
  return true;
}

struct Match {
  const Api::Route* route = nullptr;
  std::string part;
  std::string allowed;  // the methods of routes that fit the path only
};

Match find_route(const HttpRequest& request) {
  Match match;
  for (const Api::Route& route : kRoutes) {
    std::string part;
    if (!matches(route.pattern, request.path, &part)) continue;
    if (route.method == request.method) {
      match.route = &route;
      match.part = std::move(part);
      return match;
    }
    match.allowed += fmt::format("{}{}", match.allowed.empty() ? "" : ", ", route.method);
  }
  return match;
}

bool is_api(std::string_view path) { return path == "/v1" || path.starts_with("/v1/"); }

/// The value of one cookie of the header.
std::string_view cookie_value(std::string_view header, std::string_view name) {
  for (const auto pair : split(header, ';')) {
    const auto text = trim(pair);
    if (text.size() > name.size() && text.starts_with(name) && text[name.size()] == '=') return text.substr(name.size() + 1);
  }
  return {};
}

}  // namespace

bool reserved_name(std::string_view name) { return name == "hub" || name == "broker"; }

Api::Api(ApiContext context)
    : context_(std::move(context)),
      // Cookies do not know ports: two hubs on one machine need two names.
      cookie_name_("moru_" + context_.authority.fingerprint().substr(0, 12)),
      secret_sha256_(sha256_hex(context_.operator_secret)) {}

bool Api::is_operator(const HttpRequest& request) const {
  constexpr std::string_view kBearer = "Bearer ";
  // Digests are compared, so the time it takes tells nothing about the secret.
  const auto fits = [&](std::string_view secret) { return !secret.empty() && sha256_hex(secret) == secret_sha256_; };
  if (request.authorization.starts_with(kBearer)) return fits(std::string_view(request.authorization).substr(kBearer.size()));
  return fits(cookie_value(request.cookie, cookie_name_));
}

HttpAdmission Api::admit(const HttpRequest& head) const {
  if (!is_api(head.path)) {
    if (head.method == "GET") return {};
    HttpResponse refusal = http_error(405, fmt::format("{}: found method {}, expected GET", head.path, head.method));
    refusal.headers.emplace_back("Allow", "GET");
    return {0, std::move(refusal)};
  }
  const Match match = find_route(head);
  if (match.route == nullptr) {
    if (match.allowed.empty()) return {0, http_error(404, fmt::format("{}: the hub has no such address", head.path))};
    HttpResponse refusal = http_error(405, fmt::format("{}: found method {}, expected {}", head.path, head.method, match.allowed));
    refusal.headers.emplace_back("Allow", match.allowed);
    return {0, std::move(refusal)};
  }
  const Route& route = *match.route;
  if (route.access == Access::kAnyone || is_operator(head)) return {route.max_body, std::nullopt};
  if (route.access == Access::kNodeOrOperator && !head.peer.empty() && !reserved_name(head.peer)) {
    const auto joined = context_.store.has_node(head.peer);
    if (!joined) return {0, http_failure(joined.error())};
    if (*joined) return {route.max_body, std::nullopt};
    return {0, http_error(403, fmt::format("node '{}' has not joined this hub", head.peer))};
  }
  HttpResponse refusal = http_error(401,
                                    "this needs the operator's secret: show it as 'Authorization: Bearer ...', or open the address that "
                                    "'moru hub serve' printed");
  refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
  return {0, std::move(refusal)};
}

HttpResponse Api::handle(const HttpRequest& request) const {
  if (!is_api(request.path)) return page(request);
  const Match match = find_route(request);
  if (match.route == nullptr) return http_error(404, fmt::format("{}: the hub has no such address", request.path));
  return match.route->endpoint(context_, request, match.part);
}

/// The secret leaves the address bar at once and stays in a cookie that scripts and other sites cannot use.
HttpResponse Api::login(const HttpRequest& request) const {
  if (sha256_hex(request.query.find("token")->second) != secret_sha256_) {
    return http_error(401, "the token in the address is not this hub's operator token; use the address that 'moru hub serve' printed");
  }
  HttpResponse response;
  response.status = 303;
  response.content_type = "text/plain; charset=utf-8";
  response.headers.emplace_back("Location", "/");
  response.headers.emplace_back("Set-Cookie",
                                fmt::format("{}={}; Path=/; HttpOnly; Secure; SameSite=Strict", cookie_name_, context_.operator_secret));
  return response;
}

HttpResponse Api::page(const HttpRequest& request) const {
  if (request.path == "/" && request.query.contains("token")) return login(request);
  const auto assets = page_assets();
  HttpResponse response;
  if (request.path == "/" && assets.empty()) {
    response.content_type = "text/plain; charset=utf-8";
    response.body = "This hub was built without its page; the API is under /v1 (build with -DMORU_WEB=ON to get the page).\n";
    return response;
  }
  // A name is looked up in a table; there is no file system behind it.
  const std::string_view name = request.path == "/" ? "index.html" : std::string_view(request.path).substr(1);
  const auto it = std::find_if(assets.begin(), assets.end(), [&](const Asset& asset) { return asset.path == name; });
  if (it == assets.end()) return http_error(404, fmt::format("{}: the hub has no such address", request.path));
  const std::string tag = fmt::format("\"{}\"", it->sha256);
  response.content_type = it->content_type;
  response.headers.emplace_back("ETag", tag);
  response.headers.emplace_back("Cache-Control", "no-cache");
  if (request.if_none_match == tag) {
    response.status = 304;
  } else {
    response.body = it->bytes;
  }
  return response;
}

HttpResponse http_json(const Json& json) {
  HttpResponse response;
  response.body = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

HttpResponse http_failure(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument: return http_error(400, error.message);
    case ErrorCode::kNotFound: return http_error(404, error.message);
    case ErrorCode::kResourceExhausted: return http_error(409, error.message);
    case ErrorCode::kUnavailable: return http_error(503, error.message);
    case ErrorCode::kUnsupported:
    case ErrorCode::kCorrupt: return http_error(422, error.message);
    case ErrorCode::kIo:
    case ErrorCode::kDeadlineExceeded:
    case ErrorCode::kCancelled:
    case ErrorCode::kInternal: break;
  }
  return http_error(500, error.message);
}

}  // namespace moru::fleet
