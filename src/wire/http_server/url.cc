// SPDX-License-Identifier: Apache-2.0
#include "wire/http_server/url.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace moru::wire::server {
namespace {

constexpr std::size_t kMaxTarget = 4096;

std::unexpected<Error> bad(const char* what) {
  return fail(ErrorCode::kInvalidArgument, std::string("the request's path has ") + what + ", expected a plain path");
}

Result<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      unsigned value = 0;
      if (i + 2 >= text.size()) return bad("a broken percent code");
      const auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
      if (error != std::errc{} || end != text.data() + i + 3) return bad("a broken percent code");
      c = static_cast<char>(value);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return bad("a control character");
    out.push_back(c);
  }
  return out;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<Target> parse_target(std::string_view target) {
  if (target.empty() || target.front() != '/' || target.size() > kMaxTarget) return bad("no '/' at its begin or more than 4096 bytes");
  const auto mark = target.find('?');
  Target result;
  MORU_ASSIGN_OR_RETURN(result.path, decode(target.substr(0, mark), false));
  const auto parts = split(std::string_view(result.path).substr(1), '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == "." || parts[i] == "..") return bad("a '.' or '..' in it");
    if (parts[i].empty() && i + 1 < parts.size()) return bad("an empty part");
  }
  if (mark == std::string_view::npos) return result;
  for (const auto pair : split(target.substr(mark + 1), '&')) {
    const auto equals = std::min(pair.find('='), pair.size());
    MORU_ASSIGN_OR_RETURN(std::string name, decode(pair.substr(0, equals), true));
    MORU_ASSIGN_OR_RETURN(std::string value, decode(pair.substr(std::min(equals + 1, pair.size())), true));
    if (!name.empty()) result.query.insert_or_assign(std::move(name), std::move(value));
  }
  return result;
}

std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return std::nullopt;
  header.remove_prefix(kUnit.size());
  const auto dash = header.find('-');
  if (dash == std::string_view::npos || header.find(',') != std::string_view::npos) return std::nullopt;
  const auto first = number(header.substr(0, dash));
  const auto last = number(header.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    const std::uint64_t length = std::min(*last, size);
    return ByteRange{size - length, length};
  }
  const bool open_end = dash + 1 == header.size();
  if (!first || (!last && !open_end) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return ByteRange{0, 0};
  const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return ByteRange{*first, end - *first + 1};
}

}  // namespace moru::wire::server
