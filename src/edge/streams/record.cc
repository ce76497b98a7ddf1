// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/record.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "core/text.h"

namespace moru::edge {
namespace {

/// "035" as 35; nothing for what is no digit.
std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

/// 2026-11-23T17:35:00[.fraction]Z
std::optional<TimeNs> parse_iso(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (text.size() < kForm.size() + 1 || text.size() > kForm.size() + 11 || text.back() != 'Z') return std::nullopt;
  for (const std::size_t at : {4U, 7U, 10U, 13U, 16U}) {
    if (text[at] != kForm[at] && !(at == 10 && text[at] == ' ')) return std::nullopt;
  }
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok() || *year < 1900 || *year > 2100) return std::nullopt;
  TimeNs fraction = 0;
  const auto tail = text.substr(kForm.size(), text.size() - kForm.size() - 1);
  if (!tail.empty()) {
    const auto value = digits(tail, 1, tail.size() - 1);
    if (tail[0] != '.' || tail.size() < 2 || !value) return std::nullopt;
    fraction = *value;
    for (std::size_t i = tail.size(); i < 10; ++i) fraction *= 10;
  }
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + *hour) * 60 + *minute) * 60 * kSecond + *second * kSecond + fraction;
}

/// An empty value leaves the field out.
bool set_text(Item& item, const FieldSpec& field, const std::string& text) {
  if (text.empty()) return true;
  const char* const end = text.data() + text.size();
  if (field.type == FieldType::kText) {
    item.set(field.name, text);
    return true;
  }
  if (field.type == FieldType::kInt64) {
    std::int64_t value = 0;
    const auto read = std::from_chars(text.data(), end, value);
    item.set(field.name, value);
    return read.ec == std::errc() && read.ptr == end;
  }
  double value = 0.0;
  const auto read = std::from_chars(text.data(), end, value);
  item.set(field.name, value);
  return read.ec == std::errc() && read.ptr == end;
}

}  // namespace

std::optional<TimeNs> parse_time(std::string_view text, std::string_view unit) {
  if (unit == "iso8601") return parse_iso(text);
  const TimeNs scale = unit == "s" ? kSecond : unit == "ms" ? kMillisecond : unit == "us" ? kMicrosecond : 1;
  std::int64_t whole = 0;
  const char* const end = text.data() + text.size();
  if (const auto read = std::from_chars(text.data(), text.data() + text.size(), whole); read.ec == std::errc() && read.ptr == end) {
    TimeNs time = 0;
    return __builtin_mul_overflow(whole, scale, &time) ? std::nullopt : std::optional(time);
  }
  double number = 0.0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != end || !(std::abs(number) * static_cast<double>(scale) < 9e18)) return std::nullopt;
  return static_cast<TimeNs>(std::llround(number * static_cast<double>(scale)));
}

Status CsvRecords::set_head(std::string_view line) {
  if (line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);  // what some programs put in front of UTF-8
  if (!split_line(line)) return fail(ErrorCode::kCorrupt, "found a head with a quote that does not end, expected names of columns");
  return set_columns(values_);
}

Status CsvRecords::set_columns(std::vector<std::string> names) {
  values_ = std::move(names);
  columns_.clear();
  if (!options_.time.empty()) MORU_RETURN_IF_ERROR(find_column(options_.time, time_column_));
  for (const auto& field : options_.fields) MORU_RETURN_IF_ERROR(find_column(field.name.text(), columns_.emplace_back()));
  return {};
}

Status CsvRecords::find_column(const std::string& name, std::size_t& column) {
  const auto at = std::ranges::find(values_, name);
  column = static_cast<std::size_t>(at - values_.begin());
  if (at != values_.end()) return {};
  columns_.clear();
  return fail(ErrorCode::kCorrupt, fmt::format("found no column '{}'{}, expected one of {}", name, did_you_mean(name, values_),
                                               in_quotes(fmt::format("{}", fmt::join(values_, ", ")))));
}

std::string_view CsvRecords::read(std::string_view line, Item& item) {
  if (!split_line(line)) return "bad quotes";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i] >= values_.size()) return "too few columns";
    if (!set_text(item, options_.fields[i], values_[columns_[i]])) return "not a number";
  }
  if (options_.time.empty()) return {};
  if (time_column_ >= values_.size()) return "too few columns";
  const auto time = parse_time(values_[time_column_], options_.time_unit);
  if (!time) return "no time";
  item.event_time = *time;
  return {};
}

/// Into values_, as RFC 4180 has it within a line. False when a quote does not end.
bool CsvRecords::split_line(std::string_view line) {
  std::size_t count = 0;
  std::size_t at = 0;
  const auto next = [&]() -> std::string& {
    if (count == values_.size()) values_.emplace_back();
    values_[count].clear();
    return values_[count++];
  };
  while (true) {
    std::string& value = next();
    if (at < line.size() && line[at] == '"') {
      for (++at;; ++at) {
        if (at >= line.size()) return false;
        if (line[at] != '"') {
          value.push_back(line[at]);
        } else if (at + 1 < line.size() && line[at + 1] == '"') {
          value.push_back(line[at++]);
        } else {
          break;
        }
      }
      ++at;
    }
    const auto end = std::min(line.find(separator_, at), line.size());
    value.append(line.substr(at, end - at));
    if (end == line.size()) break;
    at = end + 1;
  }
  values_.resize(count);
  return true;
}

std::string_view read_number_record(const RecordOptions& options, std::string_view text, Item& item) {
  text = trim(text);
  return !text.empty() && set_text(item, options.fields.front(), std::string(text)) ? "" : "not a number";
}

}  // namespace moru::edge
