// SPDX-License-Identifier: Apache-2.0
// The TFLite reader takes any bytes; what it takes can be written, read and put into text again without a change.
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "model/formats/tflite/tflite.h"
#include "model/graph/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace moru;
  const auto graph = model::read_tflite({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!graph) {
    MORU_CHECK(graph.error().code != ErrorCode::kInternal);
    return 0;
  }
  const std::string text = model::to_text(*graph);
  const auto bytes = model::write_tflite(*graph);
  MORU_CHECK(bytes.has_value());
  const auto again = model::read_tflite(*bytes, "fuzz");
  MORU_CHECK(again.has_value());
  MORU_CHECK(model::to_text(*again) == text);
  const auto parsed = model::parse_text(text);
  MORU_CHECK(parsed.has_value());
  MORU_CHECK(model::to_text(*parsed) == text);
  return 0;
}
