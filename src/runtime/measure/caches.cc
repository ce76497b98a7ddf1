// SPDX-License-Identifier: Apache-2.0
#include "runtime/measure/caches.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "core/text.h"

namespace moru::runtime {
namespace {

/// "48K", "2M"; 0 for anything else.
std::size_t parse_size(std::string_view text) {
  constexpr std::size_t kMost = std::size_t{1} << 40U;
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const std::size_t factor = unit == "K" ? 1024 : unit == "M" ? 1024 * 1024 : 0;
  return error != std::errc() || value > kMost ? 0 : value * factor;
}

}  // namespace

std::vector<Cache> read_caches(const Path& folder) {
  constexpr int kMostIndices = 16;
  std::map<std::string, Cache> by_level;
  for (int i = 0; i < kMostIndices; ++i) {
    const Path index = folder / fmt::format("index{}", i);
    const auto read = [&](const char* file) { return std::string(trim(read_file(index / file).value_or(""))); };
    const std::string level = read("level");
    const std::string type = read("type");
    const std::size_t bytes = parse_size(read("size"));
    if (level.size() != 1 || level < "1" || level > "9" || bytes == 0 || (type != "Data" && type != "Unified")) continue;
    by_level.emplace(level, Cache{fmt::format("L{}{}", level, type == "Data" ? "d" : ""), bytes});
  }
  std::vector<Cache> caches;
  for (auto& [level, cache] : by_level) {
    if (caches.empty() || cache.bytes > caches.back().bytes) caches.push_back(std::move(cache));
  }
  return caches;
}

}  // namespace moru::runtime
