// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace moru::wire::server {

struct Target {
  std::string path;
  std::map<std::string, std::string, std::less<>> query;
};

/// The target of a request, from outside: percent-decoded, at most 4 KiB, no control characters, no "." or ".." as a
/// part of the path, no empty part but the last.
Result<Target> parse_target(std::string_view target);

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};
/// One range of a Range header ("bytes=5-", "bytes=5-9", "bytes=-5") in a thing of `size` bytes. Nothing: the header asks
/// for something else and is ignored, as RFC 9110 allows. length 0: outside of the thing (416).
std::optional<ByteRange> parse_range(std::string_view header, std::uint64_t size);

}  // namespace moru::wire::server
