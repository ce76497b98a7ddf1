// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/http_ends.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/digest.h"
#include "core/text.h"

namespace moru::edge {
namespace {

constexpr std::uint64_t kMaxTokenBytes = 4096;
constexpr std::uint64_t kMaxPemBytes = std::uint64_t{1} << 20U;

/// A token goes into a header: one line of printable characters.
Result<std::string> read_token(const Path& file) {
  MORU_ASSIGN_OR_RETURN(const auto text, read_file(file, kMaxTokenBytes));
  std::string token(trim(text));
  if (token.empty() || std::ranges::any_of(token, [](char c) { return c <= ' ' || c > '~'; }))
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected a token: one word of printable characters", file.string(),
                                                         token.empty() ? "nothing" : "blanks or other characters"));
  return token;
}

bool is_loopback(std::string_view address) { return address.starts_with("127.") || address == "::1"; }

}  // namespace

Status HttpTarget::load() {
  if (token_file.empty()) return {};
  MORU_ASSIGN_OR_RETURN(options.bearer, read_token(token_file));
  return {};
}

Status check_url(std::string_view where, std::string_view url, bool plain) {
  const bool is_http = url.starts_with("http://");
  if (url.size() > 4096 || (!is_http && !url.starts_with("https://")) ||
      std::ranges::any_of(url, [](char c) { return c <= ' ' || c > '~'; }))
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found url {}, expected https://HOST/PATH", where, in_quotes(url)));
  if (is_http && !plain) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found url {} without TLS, expected https://; say `plain: true` where everybody on the way may read it",
                            where, in_quotes(url)));
  }
  return {};
}

void HttpTargetReader::read(ConfigReader& reader) {
  reader.required("url", &target.url);
  reader.optional("ca", &ca);
  reader.optional("certificate", &certificate);
  reader.optional("key", &key);
  reader.optional("token_file", &token_file);
  reader.optional("plain", &target.options.plain);
  reader.optional("timeout_ms", &timeout_ms, {.min = 1.0, .max = 600'000.0});
}

Result<HttpTarget> HttpTargetReader::finish(const ConfigObject& object) {
  MORU_RETURN_IF_ERROR(check_url(object.where(), target.url, target.options.plain));
  if (certificate.empty() != key.empty())
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found one of 'certificate' and 'key', expected both or none", object.where()));
  target.options.ca_file = ca;
  target.options.machine_ca = ca.empty();
  target.options.certificate_file = certificate;
  target.options.key_file = key;
  target.options.timeout = static_cast<TimeNs>(timeout_ms * static_cast<double>(kMillisecond));
  target.options.max_response_bytes = std::uint64_t{1} << 20U;
  target.token_file = token_file;
  return std::move(target);
}

Result<HttpListener> parse_listen(std::string_view where, std::string_view text) {
  HttpListener listener;
  const auto colon = text.rfind(':');
  auto address = text.substr(0, std::min(colon, text.size()));
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  const auto port = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), listener.port);
  if (error != std::errc() || end != port.data() + port.size() || listener.port < 0 || listener.port > 65535)
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found {}, expected ADDRESS:PORT, as 127.0.0.1:8080; port 0 takes a free one", where, in_quotes(text)));
  listener.address = address.empty() ? "127.0.0.1" : std::string(address);
  return listener;
}

void HttpListenerReader::read(ConfigReader& reader) {
  reader.required("listen", &listen);
  reader.optional("certificate", &certificate);
  reader.optional("key", &key);
  reader.optional("token_file", &token_file);
  reader.optional("plain", &plain);
}

Result<HttpListener> HttpListenerReader::finish(const ConfigObject& object) const {
  MORU_ASSIGN_OR_RETURN(auto listener, parse_listen(object.where(), listen));
  if (certificate.empty() != key.empty())
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found one of 'certificate' and 'key', expected both or none", object.where()));
  if (certificate.empty() && !plain && !is_loopback(listener.address)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found listen {} without TLS, expected 'certificate' and 'key'; say `plain: true` where everybody on the "
                            "network may read and send",
                            object.where(), in_quotes(listen)));
  }
  listener.certificate = certificate;
  listener.key = key;
  listener.token_file = token_file;
  return listener;
}

Result<wire::server::HttpServerOptions> HttpListener::load() const {
  wire::server::HttpServerOptions options;
  options.address = address;
  options.port = port;
  options.threads = 1;
  options.max_connections = 64;
  options.plain = certificate.empty();
  if (!options.plain) {
    MORU_ASSIGN_OR_RETURN(options.certificate_pem, read_file(certificate, kMaxPemBytes));
    MORU_ASSIGN_OR_RETURN(options.key_pem, read_file(key, kMaxPemBytes));
  }
  return options;
}

Result<TokenCheck> TokenCheck::load(const Path& token_file) {
  TokenCheck check;
  if (token_file.empty()) return check;
  MORU_ASSIGN_OR_RETURN(const auto token, read_token(token_file));
  check.sha256_ = sha256_hex(token);
  return check;
}

bool TokenCheck::fits(const wire::server::HttpRequest& request) const {
  constexpr std::string_view kBearer = "Bearer ";
  if (sha256_.empty()) return true;
  if (request.authorization.starts_with(kBearer))
    return sha256_hex(std::string_view(request.authorization).substr(kBearer.size())) == sha256_;
  const auto token = request.query.find("token");
  return token != request.query.end() && sha256_hex(token->second) == sha256_;
}

wire::server::HttpResponse TokenCheck::refusal() {
  auto response = wire::server::http_error(401, "this needs the token: show it as 'Authorization: Bearer ...'");
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace moru::edge
