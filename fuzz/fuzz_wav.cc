// SPDX-License-Identifier: Apache-2.0
// Any bytes as a WAV file: an error, or samples of which none lies outside of it.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "edge/streams/wav.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto format = moru::edge::parse_wav(bytes, size);
  if (!format) {
    MORU_CHECK(format.error().code == moru::ErrorCode::kCorrupt || format.error().code == moru::ErrorCode::kUnsupported);
    return 0;
  }
  MORU_CHECK(format->data_offset <= size && format->frames <= (size - format->data_offset) / format->frame_bytes());
  std::vector<float> samples(format->frames);
  const auto frames = bytes.substr(format->data_offset, format->frames * format->frame_bytes());
  moru::edge::decode_wav(*format, frames, -1, samples);
  moru::edge::decode_wav(*format, frames, static_cast<std::int64_t>(format->channels) - 1, samples);
  return 0;
}
