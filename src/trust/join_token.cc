// SPDX-License-Identifier: Apache-2.0
#include "trust/join_token.h"

#include <openssl/rand.h>

#include <cstdint>

#include "core/digest.h"
#include "core/json.h"
#include "core/text.h"
#include "trust/openssl.h"

namespace moru::trust {
namespace {

constexpr std::string_view kPrefix = "moru1.";
constexpr std::size_t kMaxTokenBytes = 4096;
constexpr std::string_view kWhere = "join token";
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// base64url without padding (RFC 4648, section 5).
std::string encode(std::string_view bytes) {
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    count += 8;
    for (; count >= 6; count -= 6) text += kAlphabet[(bits >> static_cast<unsigned>(count - 6)) & 63U];
  }
  if (count > 0) text += kAlphabet[(bits << static_cast<unsigned>(6 - count)) & 63U];
  return text;
}

Result<std::string> decode(std::string_view text) {
  const auto broken = [] {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found text that is not base64url, expected the whole token; copy it again", kWhere));
  };
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return broken();
    bits = (bits << 6U) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>((bits >> static_cast<unsigned>(count)) & 255U);
    }
  }
  // Left-over bits must be zero, so that one token has one text.
  if (count >= 6 || (bits & ((1U << static_cast<unsigned>(count)) - 1U)) != 0) return broken();
  return bytes;
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Status check(const JoinToken& token) {
  const auto wrong = [](std::string_view field, std::string_view expected) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: field '{}' is not right, expected {}", kWhere, field, expected));
  };
  if (!token.hub_url.starts_with("https://") || token.hub_url.size() > 512) return wrong("url", "an https:// address");
  for (const char c : token.hub_url) {
    if (c <= ' ' || c > '~') return wrong("url", "an https:// address");
  }
  if (!is_hex(token.ca_fingerprint, 64)) return wrong("ca", "64 hexadecimal digits");
  if (!is_hex(token.id, 16)) return wrong("id", "16 hexadecimal digits");
  if (!is_hex(token.secret, 64)) return wrong("secret", "64 hexadecimal digits");
  if (token.expires <= 0) return wrong("expires", "a time");
  return {};
}

}  // namespace

Result<std::string> random_hex(int count) {
  if (count <= 0 || count > 4096)
    return fail(ErrorCode::kInvalidArgument, fmt::format("random bytes: found {}, expected 1 to 4096", count));
  std::string bytes(static_cast<std::size_t>(count), '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), count) != 1) return openssl::internal("random bytes");
  return to_hex(bytes);
}

Result<JoinToken> make_token(std::string hub_url, std::string ca_fingerprint, TimeNs expires) {
  JoinToken token;
  token.hub_url = std::move(hub_url);
  token.ca_fingerprint = std::move(ca_fingerprint);
  token.expires = expires;
  MORU_ASSIGN_OR_RETURN(token.id, random_hex(8));
  MORU_ASSIGN_OR_RETURN(token.secret, random_hex(32));
  MORU_RETURN_IF_ERROR(check(token));
  return token;
}

std::string write_token(const JoinToken& token) {
  const Json json{
      {"url", token.hub_url}, {"ca", token.ca_fingerprint}, {"id", token.id}, {"secret", token.secret}, {"expires", token.expires}};
  return std::string(kPrefix) + encode(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Result<JoinToken> read_token(std::string_view text) {
  text = trim(text);
  if (text.size() > kMaxTokenBytes) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} bytes, expected at most {}", kWhere, text.size(), kMaxTokenBytes));
  }
  if (!text.starts_with(kPrefix)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found text that does not begin with '{}', expected a token from `moru hub token`", kWhere, kPrefix));
  }
  MORU_ASSIGN_OR_RETURN(const std::string bytes, decode(text.substr(kPrefix.size())));
  MORU_ASSIGN_OR_RETURN(const Json json, parse_json(bytes, kWhere));
  JoinToken token;
  MORU_ASSIGN_OR_RETURN(token.hub_url, json_field<std::string>(json, "url", kWhere));
  MORU_ASSIGN_OR_RETURN(token.ca_fingerprint, json_field<std::string>(json, "ca", kWhere));
  MORU_ASSIGN_OR_RETURN(token.id, json_field<std::string>(json, "id", kWhere));
  MORU_ASSIGN_OR_RETURN(token.secret, json_field<std::string>(json, "secret", kWhere));
  MORU_ASSIGN_OR_RETURN(token.expires, json_field<std::int64_t>(json, "expires", kWhere));
  MORU_RETURN_IF_ERROR(check(token));
  return token;
}

}  // namespace moru::trust
