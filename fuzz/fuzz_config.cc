// SPDX-License-Identifier: Apache-2.0
// Any text as a stream file: read and bound whole, or refused with a sentence. What is right is so again when it is read once more.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "core/config.h"
#include "edge/streams/stream.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto filled = moru::edge::fill_parameters(text, {{"rate", "10"}, {"name", "a: [b"}}, "fuzz.yaml");
  const auto document = moru::ConfigObject::parse(filled ? *filled : text, "fuzz.yaml");
  if (!document) {
    MORU_CHECK(!document.error().message.empty());
    return 0;
  }
  const auto spec = moru::edge::read_stream(*document);
  MORU_CHECK(spec || !spec.error().message.empty());
  if (spec) MORU_CHECK(bind_stages(*spec));
  return 0;
}
