// SPDX-License-Identifier: Apache-2.0
// Any bytes as a recording: an error that says where, or elements of its sources up to what is whole.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "core/check.h"
#include "edge/streams/outbox_segment.h"
#include "edge/streams/tape.h"

namespace {

/// The checksums put right: what a fuzzer changes would else never get behind them.
std::string with_checksums(std::string bytes) {
  for (std::size_t at = 8; at + 8 <= bytes.size();) {
    const std::size_t size = moru::edge::get_u32(bytes, at);
    if (size > bytes.size() - at - 8) break;
    const std::string_view all = bytes;
    std::string crc;
    moru::edge::put_u32(crc, moru::edge::crc32c(all.substr(at + 8, size), moru::edge::crc32c(all.substr(at, 4))));
    bytes.replace(at + 4, 4, crc);
    at += 8 + size;
  }
  return bytes;
}

void read_all(std::string bytes) {
  std::FILE* const file = ::fmemopen(bytes.data(), bytes.size(), "rb");
  MORU_CHECK(file != nullptr);
  const auto reader = moru::edge::TapeReader::read(file, "fuzz");
  if (!reader) return;
  while (true) {
    const auto element = (*reader)->next();
    if (!element || !*element) return;
    const bool due = (*element)->kind == moru::edge::TapeKind::kDue;
    MORU_CHECK(due || (*element)->source < (*reader)->head().sources.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  read_all(bytes);
  read_all(with_checksums(bytes));
  return 0;
}
