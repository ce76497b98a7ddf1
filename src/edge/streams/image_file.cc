// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/image_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/text.h"

namespace moru::edge {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'; }

/// The next number of a head, behind spaces and comments (from '#' to the line's end); `at` is left behind it.
std::optional<std::uint64_t> head_number(std::string_view bytes, std::size_t& at) {
  while (at < bytes.size() && (is_space(bytes[at]) || bytes[at] == '#')) {
    if (bytes[at] == '#') at = std::min(bytes.find('\n', at), bytes.size() - 1);
    ++at;
  }
  constexpr std::uint64_t kLargest = 1'000'000'000;
  std::uint64_t number = 0;
  const std::size_t begin = at;
  for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '9'; ++at) {
    number = number * 10 + static_cast<std::uint64_t>(bytes[at] - '0');
    if (number > kLargest) return std::nullopt;
  }
  return at == begin ? std::nullopt : std::optional(number);
}

}  // namespace

Result<Image> blank_image(std::uint64_t height, std::uint64_t width, std::size_t channels) {
  if (height == 0 || width == 0)
    return fail(ErrorCode::kCorrupt, fmt::format("image: found {} x {} pixels, expected one at least", height, width));
  if (height > kMaxPixels || width > kMaxPixels / height) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("image: found {} x {} pixels, expected at most {} in all", height, width, kMaxPixels));
  }
  Image image{.height = height, .width = width, .channels = channels, .bytes = {}};
  image.bytes.resize(height * width * channels);
  return image;
}

Result<Image> decode_netpbm(std::string_view bytes) {
  std::size_t at = 2;
  const auto width = head_number(bytes, at);
  const auto height = head_number(bytes, at);
  const auto largest = head_number(bytes, at);
  if (!width || !height || !largest || at >= bytes.size() || !is_space(bytes[at]))
    return fail(ErrorCode::kCorrupt, "PGM: found a head that is none, expected width, height and the largest value");
  if (*largest == 0 || *largest > 255)
    return fail(ErrorCode::kUnsupported, fmt::format("PGM: found values up to {}, expected 1 to 255", *largest));
  ++at;
  // Before the memory is taken: a head alone must not cost any.
  const std::size_t channels = bytes[1] == '6' ? 3 : 1;
  if (*height > 0 && *width > (bytes.size() - at) / channels / *height)
    return fail(ErrorCode::kCorrupt, fmt::format("PGM: found {} bytes of pixels, expected {} x {}", bytes.size() - at, *height, *width));
  MORU_ASSIGN_OR_RETURN(auto image, blank_image(*height, *width, channels));
  std::ranges::transform(bytes.substr(at, image.bytes.size()), image.bytes.begin(), [&](char value) {
    return static_cast<std::uint8_t>(std::min(255U, static_cast<unsigned char>(value) * 255U / static_cast<unsigned>(*largest)));
  });
  return image;
}

Result<Image> decode_image(std::string_view bytes) {
  if (bytes.starts_with("P5") || bytes.starts_with("P6")) return decode_netpbm(bytes);
  if (bytes.starts_with("\x89PNG\r\n\x1A\n")) return decode_png(bytes);
  if (bytes.starts_with("\xFF\xD8\xFF")) return decode_jpeg(bytes);
  return fail(ErrorCode::kUnsupported, fmt::format("image: found a file that begins with {}, expected PGM, PPM, PNG or JPEG",
                                                   in_quotes(bytes.substr(0, std::min<std::size_t>(bytes.size(), 8)))));
}

Image with_channels(Image image, std::size_t channels) {
  if (image.channels == channels) return image;
  const std::size_t pixels = image.height * image.width;
  std::vector<std::uint8_t> bytes(pixels * channels);
  for (std::size_t i = 0; i < pixels; ++i) {
    if (channels == 3) {
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(3 * i), 3, image.bytes[i]);
    } else {
      const auto* const pixel = &image.bytes[3 * i];
      bytes[i] = static_cast<std::uint8_t>((299U * pixel[0] + 587U * pixel[1] + 114U * pixel[2] + 500U) / 1000U);
    }
  }
  return {.height = image.height, .width = image.width, .channels = channels, .bytes = std::move(bytes)};
}

}  // namespace moru::edge
