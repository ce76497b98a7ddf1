// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/wav.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace moru::edge {
namespace {

constexpr std::uint32_t kPcm = 1;
constexpr std::uint32_t kFloat = 3;
constexpr std::uint32_t kExtensible = 0xFFFE;
constexpr std::string_view kTailOfGuid("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71", 14);  // behind the coding's two bytes
constexpr std::uint64_t kUnknownSize = 0xFFFFFFFF;  // of a file that was written to a pipe: up to its end

/// `size` bytes at `at`, the lowest first; the caller has checked that they are there.
std::uint32_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return value;
}

std::unexpected<Error> corrupt(std::string_view found, std::string_view expected) {
  return fail(ErrorCode::kCorrupt, fmt::format("WAV: found {}, expected {}", found, expected));
}

/// The contents of a chunk "fmt ".
Result<WavFormat> parse_format(std::string_view chunk) {
  if (chunk.size() < 16) return corrupt(fmt::format("a format of {} bytes", chunk.size()), "16 at least");
  std::uint32_t coding = number(chunk, 0, 2);
  if (coding == kExtensible) {
    if (chunk.size() < 40 || chunk.substr(26, 14) != kTailOfGuid)
      return corrupt("an extended format that is none", "40 bytes with a known GUID");
    coding = number(chunk, 24, 2);
  }
  const std::uint32_t bits = number(chunk, 14, 2);
  const bool known = (coding == kPcm && (bits == 16 || bits == 24 || bits == 32)) || (coding == kFloat && bits == 32);
  if (!known) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("WAV: found coding {} of {} bits, expected whole numbers of 16, 24 or 32 bits, or float32", coding, bits));
  }
  WavFormat format{.channels = number(chunk, 2, 2), .rate_hz = number(chunk, 4, 4), .sample_bytes = bits / 8, .is_float = coding == kFloat};
  if (format.channels < 1 || format.channels > kMaxWavChannels)
    return corrupt(fmt::format("{} channels", format.channels), fmt::format("1 to {}", kMaxWavChannels));
  if (format.rate_hz == 0) return corrupt("no sample rate", "one above 0");
  if (number(chunk, 12, 2) != format.frame_bytes())
    return corrupt(fmt::format("frames of {} bytes", number(chunk, 12, 2)), fmt::format("{}", format.frame_bytes()));
  return format;
}

/// Between -1 and 1: whole numbers as a share of the largest.
float sample(const WavFormat& format, std::string_view bytes, std::size_t at) {
  const std::uint32_t bits = number(bytes, at, format.sample_bytes);
  if (format.is_float) return std::bit_cast<float>(bits);
  // To the top of 32 bits, so that the sign is where it must be.
  const auto value = static_cast<std::int32_t>(bits << (32 - 8 * format.sample_bytes));
  return static_cast<float>(static_cast<double>(value) / 2147483648.0);
}

}  // namespace

Result<WavFormat> parse_wav(std::string_view head, std::uint64_t file_bytes) {
  if (head.size() < 12 || head.substr(0, 4) != "RIFF" || head.substr(8, 4) != "WAVE") return corrupt("no RIFF head", "a WAV file");
  Result<WavFormat> format = corrupt("no format in front of the samples", "a chunk 'fmt '");
  std::size_t at = 12;
  while (at + 8 <= head.size()) {
    const std::string_view name = head.substr(at, 4);
    const std::uint64_t size = number(head, at + 4, 4);
    at += 8;
    if (name == "data") {
      if (!format) return format;
      const std::uint64_t there = file_bytes - std::min<std::uint64_t>(at, file_bytes);
      if (size != kUnknownSize && size > there)
        return corrupt(fmt::format("{} bytes of samples where {} are announced", there, size), "all of them");
      format->data_offset = at;
      format->frames = std::min(size, there) / format->frame_bytes();
      return format;
    }
    if (size > head.size() - at) return corrupt(fmt::format("a chunk of {} bytes", size), "one that lies in the file, before the samples");
    if (name == "fmt ") {
      MORU_ASSIGN_OR_RETURN(format, parse_format(head.substr(at, size)));
    }
    at += static_cast<std::size_t>(size + size % 2);
  }
  return corrupt("no samples", "a chunk 'data'");
}

void decode_wav(const WavFormat& format, std::string_view bytes, std::int64_t channel, std::span<float> out) {
  for (std::size_t frame = 0; frame < out.size(); ++frame) {
    const std::size_t at = frame * format.frame_bytes();
    if (channel >= 0) {
      out[frame] = sample(format, bytes, at + static_cast<std::size_t>(channel) * format.sample_bytes);
      continue;
    }
    float sum = 0.0F;
    for (std::size_t i = 0; i < format.channels; ++i) sum += sample(format, bytes, at + i * format.sample_bytes);
    out[frame] = sum / static_cast<float>(format.channels);
  }
}

}  // namespace moru::edge
