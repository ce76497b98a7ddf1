// SPDX-License-Identifier: Apache-2.0
// Any bytes of a serial line: the same frames however they come, and each one a record or a reason. The first byte says how.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "edge/streams/framer.h"
#include "edge/streams/record.h"

namespace {

using moru::edge::FieldType;

moru::edge::FrameOptions frame_options(std::uint8_t kind) {
  switch (kind % 4U) {
    case 0: return {.max_length = 64};
    case 1: return {.delimiter = "\x02\x03", .lines = false, .max_length = 16};
    case 2: return {.delimiter = "", .lines = false, .length = 6, .begin = "YY"};
    default: return {.delimiter = "", .lines = false, .length = 5};
  }
}

std::vector<std::string> frames(const moru::edge::FrameOptions& options, std::string_view bytes, std::size_t at_a_time) {
  moru::edge::Framer framer(options);
  std::vector<std::string> result;
  for (std::size_t i = 0; i < bytes.size(); i += at_a_time) {
    framer.push(bytes.substr(i, at_a_time));
    while (const auto frame = framer.next()) {
      MORU_CHECK(frame->bytes.size() <= options.max_length || frame->bytes.size() == options.length);
      result.push_back(frame->dropped.empty() ? std::string(frame->bytes) : "!" + std::string(frame->dropped));
    }
  }
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto options = frame_options(data[0]);
  const auto found = frames(options, bytes, bytes.size() + 1);
  MORU_CHECK(found == frames(options, bytes, 1));
  MORU_CHECK(found == frames(options, bytes, 3));
  moru::edge::RecordOptions record;
  record.fields = {
      {.name = "a", .type = FieldType::kDouble}, {.name = "b", .type = FieldType::kInt64}, {.name = "c", .type = FieldType::kText}};
  record.time = "t";
  record.time_unit = (data[0] & 4U) != 0 ? "iso8601" : "ms";
  moru::edge::CsvRecords csv(record, ',');
  MORU_CHECK(csv.set_columns({"t", "a", "b", "c"}));
  for (const auto& frame : found) {
    moru::edge::Item item;
    static_cast<void>(csv.read(frame, item));
    static_cast<void>(moru::edge::read_json_record(record, frame, item));
    static_cast<void>(moru::edge::read_number_record(record, frame, item));
    MORU_CHECK(item.fields.size() <= 3);
  }
  return 0;
}
