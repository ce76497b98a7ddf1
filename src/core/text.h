// SPDX-License-Identifier: Apache-2.0
// Small helpers for text that people read or write.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moru {

/// The candidate with the smallest edit distance to `word`, if it is near enough to be a slip of the pen.
std::optional<std::string> nearest_name(std::string_view word, std::span<const std::string> candidates);

/// " (did you mean 'rate_hz'?)", or "" when nothing is near.
std::string did_you_mean(std::string_view word, std::span<const std::string> candidates);

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);

/// Text from outside as it may stand in a message: in single quotes, bytes that are not printable ASCII as \xNN, and no
/// more than its first 80 bytes.
std::string in_quotes(std::string_view text);

/// Text from outside as UTF-8 (RFC 3629) without zeros, for receivers that take nothing else: what is none becomes U+FFFD.
std::string as_utf8(std::string_view text);

/// "1.2 MB", "340 B": decimal units.
std::string human_bytes(std::uint64_t bytes);
/// 0.925 as "92.50 %".
std::string percent(double share, int decimals = 2);
/// "340 ns", "4.2 us", "850 us", "1.24 ms", "12.0 s", "3 min 05 s".
std::string human_duration_ns(std::int64_t ns);

}  // namespace moru
