// SPDX-License-Identifier: Apache-2.0
#include "core/json.h"

namespace moru {
namespace {

constexpr int kMaxDepth = 64;

/// A pass over the text before it is parsed: the library's parser recurses in its destructor.
bool nests_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view where) {
  if (nests_too_deep(text)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: JSON nests deeper than {} levels", where, kMaxDepth));
  }
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found {} bytes that are not JSON, expected a JSON value", where, text.size()));
  }
  return value;
}

}  // namespace moru
