// SPDX-License-Identifier: Apache-2.0
// WAV files (RIFF, "Multimedia Programming Interface and Data Specifications 1.0"): whole numbers of 16, 24 and 32 bits, and float32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.h"

namespace moru::edge {

struct WavFormat {
  std::size_t channels = 0;      ///< 1 to kMaxWavChannels
  std::uint32_t rate_hz = 0;     ///< samples a second, of each channel
  std::size_t sample_bytes = 0;  ///< 2, 3 or 4
  bool is_float = false;
  std::uint64_t data_offset = 0;
  std::uint64_t frames = 0;  ///< samples of each channel
  std::size_t frame_bytes() const { return channels * sample_bytes; }
};

inline constexpr std::size_t kMaxWavChannels = 64;
/// What parse_wav() wants to see of a file: its chunks up to the samples lie in so many bytes.
inline constexpr std::size_t kWavHead = std::size_t{1} << 20U;

/// Reads what stands in front of the samples. `head`: untrusted, the first kWavHead bytes of a file of `file_bytes`, or all of it.
/// Errors: kCorrupt (no WAV file, or cut off), kUnsupported (another coding of samples).
Result<WavFormat> parse_wav(std::string_view head, std::uint64_t file_bytes);

/// Samples of frames, in file order, as numbers of [-1, 1): of one channel, or, with channel -1, the mean of all.
/// `bytes` has out.size() frames; `channel` is one of the format.
void decode_wav(const WavFormat& format, std::string_view bytes, std::int64_t channel, std::span<float> out);

}  // namespace moru::edge
