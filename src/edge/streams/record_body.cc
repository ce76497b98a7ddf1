// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "edge/streams/record.h"

namespace moru::edge {
namespace {

std::optional<BodyMistake> add(const RecordOptions& options, std::string_view record, const Item& blank, std::vector<Item>& items) {
  Item item = blank;
  const auto reason = read_json_record(options, record, item);
  if (!reason.empty()) return BodyMistake{reason, std::string(record), fmt::format("item {}: {}", items.size() + 1, reason)};
  items.push_back(std::move(item));
  return std::nullopt;
}

std::optional<BodyMistake> read_lines(const RecordOptions& options, std::string_view body, const Item& blank, std::vector<Item>& items) {
  for (const auto line : split(body, '\n')) {
    if (trim(line).empty()) continue;
    if (auto mistake = add(options, line, blank, items)) return mistake;
  }
  return std::nullopt;
}

std::optional<BodyMistake> read_whole(const RecordOptions& options, std::string_view body, const Item& blank, std::vector<Item>& items) {
  if (!trim(body).starts_with('[')) return add(options, body, blank, items);
  const auto list = parse_json(body, "body");
  if (!list) return BodyMistake{"no JSON object", std::string(body), list.error().message};
  for (const auto& one : *list) {
    if (auto mistake = add(options, one.dump(-1, ' ', false, Json::error_handler_t::replace), blank, items)) return mistake;
  }
  return std::nullopt;
}

}  // namespace

std::optional<BodyMistake> read_json_body(const RecordOptions& options, bool lines, std::string_view body, const Item& blank,
                                          std::vector<Item>& items) {
  const std::size_t before = items.size();
  auto mistake = lines ? read_lines(options, body, blank, items) : read_whole(options, body, blank, items);
  if (mistake) items.resize(before);
  return mistake;
}

}  // namespace moru::edge
