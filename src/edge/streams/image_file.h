// SPDX-License-Identifier: Apache-2.0
// Images in files: PGM and PPM (Netpbm, binary, one byte a value) by a reader of our own, PNG and JPEG by libpng and libjpeg, which are
// loaded at first use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace moru::edge {

struct Image {
  std::size_t height = 0;
  std::size_t width = 0;
  std::size_t channels = 0;         ///< 1: grey; 3: red, green, blue
  std::vector<std::uint8_t> bytes;  ///< [H, W, channels]
};

inline constexpr std::uint64_t kMaxPixels = std::uint64_t{1} << 26U;  // 64 million: 192 MiB in colour

/// What begins like a PGM, PPM, PNG or JPEG file, whatever its name. `bytes` are untrusted.
/// Errors: kCorrupt, kUnsupported (none of these, or a kind of it), kResourceExhausted above kMaxPixels, kUnavailable without the library.
Result<Image> decode_image(std::string_view bytes);

/// The same image with that many channels, 1 or 3: grey is 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601).
Image with_channels(Image image, std::size_t channels);

// Of one kind each; what they are given begins as it must.
Result<Image> decode_netpbm(std::string_view bytes);
Result<Image> decode_png(std::string_view bytes);
Result<Image> decode_jpeg(std::string_view bytes);
/// Memory for an image of so many pixels. Errors: kResourceExhausted; kCorrupt where there are none.
Result<Image> blank_image(std::uint64_t height, std::uint64_t width, std::size_t channels);

}  // namespace moru::edge
