// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace moru::edge::testing {

inline std::string little_endian(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<char>((value >> (8 * i)) & 0xFFU));
  return bytes;
}

/// A WAV file. `samples`: of all channels, in file order, as their bits.
inline std::string wav_bytes(std::uint32_t channels, std::uint32_t rate_hz, std::uint32_t bits, bool is_float,
                             const std::vector<std::uint32_t>& samples) {
  std::string data;
  for (const std::uint32_t sample : samples) data += little_endian(sample, bits / 8);
  std::string format = little_endian(is_float ? 3 : 1, 2) + little_endian(channels, 2) + little_endian(rate_hz, 4) +
                       little_endian(rate_hz * channels * bits / 8, 4) + little_endian(channels * bits / 8, 2) + little_endian(bits, 2);
  // An odd chunk that nobody knows, with the byte that makes it even.
  const std::string body = "WAVEnote" + little_endian(3, 4) + "abc" + std::string(1, '\0') + "fmt " + little_endian(format.size(), 4) +
                           format + "data" + little_endian(data.size(), 4) + data;
  return "RIFF" + little_endian(body.size(), 4) + body;
}

}  // namespace moru::edge::testing
