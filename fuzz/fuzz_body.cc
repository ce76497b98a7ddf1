// SPDX-License-Identifier: Apache-2.0
// Any body that is pushed over HTTP: all of its records or a mistake with its reason; in lines the same as one by one. The first byte says
// how.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/text.h"
#include "edge/streams/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using moru::edge::FieldType;
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool lines = (data[0] & 1U) != 0;
  moru::edge::RecordOptions options;
  options.fields = {
      {.name = "a", .type = FieldType::kDouble}, {.name = "b", .type = FieldType::kInt64}, {.name = "c", .type = FieldType::kText}};
  options.time = (data[0] & 2U) != 0 ? "t" : "";
  options.time_unit = (data[0] & 4U) != 0 ? "iso8601" : "ms";
  std::vector<moru::edge::Item> items(1);
  const auto mistake = read_json_body(options, lines, body, {}, items);
  MORU_CHECK(!mistake || (items.size() == 1 && !mistake->reason.empty() && !mistake->sentence.empty()));
  for (const auto& item : items) MORU_CHECK(item.fields.size() <= options.fields.size());
  if (!lines) return 0;
  std::size_t records = 0;
  bool right = true;
  for (const auto line : moru::split(body, '\n')) {
    moru::edge::Item item;
    if (moru::trim(line).empty()) continue;
    ++records;
    right = right && read_json_record(options, line, item).empty();
  }
  MORU_CHECK(right == !mistake);
  MORU_CHECK(!right || items.size() == records + 1);
  return 0;
}
