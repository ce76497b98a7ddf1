// SPDX-License-Identifier: Apache-2.0
// Any bytes as an item: an error, or an item that is the same when it is written and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/check.h"
#include "edge/streams/item_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  moru::edge::ItemReader reader;
  const auto item = reader.read(bytes);
  if (!item) {
    MORU_CHECK(item.error().code == moru::ErrorCode::kCorrupt || item.error().code == moru::ErrorCode::kResourceExhausted);
    return 0;
  }
  std::string again;
  moru::edge::append_item_bytes(again, *item);
  MORU_CHECK(again.size() == bytes.size());  // they differ in spare bits at most
  const auto same = reader.read(again);
  MORU_CHECK(same.has_value());
  std::string once_more;
  moru::edge::append_item_bytes(once_more, *same);
  MORU_CHECK(once_more == again);
  return 0;
}
