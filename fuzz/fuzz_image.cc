// SPDX-License-Identifier: Apache-2.0
// Any bytes as an image file (PGM, PPM, PNG, JPEG): an error, or an image that has its pixels.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "core/check.h"
#include "edge/streams/image_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto image = moru::edge::decode_image({reinterpret_cast<const char*>(data), size});
  if (!image) {
    MORU_CHECK(image.error().code != moru::ErrorCode::kInternal);
    return 0;
  }
  MORU_CHECK(image->height * image->width * image->channels == image->bytes.size() && !image->bytes.empty());
  const auto pixels = image->height * image->width;
  const std::size_t other = image->channels == 1 ? 3 : 1;
  MORU_CHECK(with_channels(std::move(*image), other).bytes.size() == pixels * other);
  return 0;
}
