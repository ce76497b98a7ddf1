// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/image_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <jpeglib.h>
#include <png.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace moru::edge {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string png_of(std::uint32_t width, std::uint32_t height, std::uint32_t format, const std::vector<std::uint8_t>& pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = format;
  png_alloc_size_t size = 0;
  EXPECT_NE(png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr), 0);
  std::string bytes(size, '\0');
  EXPECT_NE(png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr), 0);
  bytes.resize(size);
  return bytes;
}

/// An image of one colour.
std::string jpeg_of(std::uint32_t width, std::uint32_t height, int channels, std::vector<std::uint8_t> pixel) {
  jpeg_compress_struct state{};
  jpeg_error_mgr errors{};
  state.err = jpeg_std_error(&errors);
  jpeg_create_compress(&state);
  unsigned char* out = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): its type
  jpeg_mem_dest(&state, &out, &size);
  state.image_width = width;
  state.image_height = height;
  state.input_components = channels;
  state.in_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&state);
  jpeg_start_compress(&state, TRUE);
  std::vector<std::uint8_t> row;
  for (std::uint32_t x = 0; x < width; ++x) row.insert(row.end(), pixel.begin(), pixel.end());
  JSAMPROW pointer = row.data();
  while (state.next_scanline < state.image_height) jpeg_write_scanlines(&state, &pointer, 1);
  jpeg_finish_compress(&state);
  std::string bytes(reinterpret_cast<const char*>(out), size);
  jpeg_destroy_compress(&state);
  std::free(out);
  return bytes;
}

TEST(ImageFile, ReadsPgmAndPpm) {
  const auto grey = decode_image(std::string("P5 # made by hand\n2\t1\n255\n\x00\xFF", 28));
  ASSERT_TRUE(grey) << grey.error().message;
  EXPECT_EQ(grey->width, 2U);
  EXPECT_EQ(grey->height, 1U);
  EXPECT_THAT(grey->bytes, ElementsAre(0, 255));
  const auto colour = decode_image("P6 1 1 15\n\x0F\x05\x10");
  ASSERT_TRUE(colour) << colour.error().message;
  EXPECT_THAT(colour->bytes, ElementsAre(255, 85, 255)) << "of 15, and no more than the largest";
}

TEST(ImageFile, ReadsPng) {
  const std::vector<std::uint8_t> pixels = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const auto colour = decode_image(png_of(2, 2, PNG_FORMAT_RGB, pixels));
  ASSERT_TRUE(colour) << colour.error().message;
  EXPECT_EQ(colour->channels, 3U);
  EXPECT_EQ(colour->bytes, pixels);
  const auto grey = decode_image(png_of(3, 1, PNG_FORMAT_GRAY, {7, 8, 9}));
  ASSERT_TRUE(grey) << grey.error().message;
  EXPECT_EQ(grey->width, 3U);
  EXPECT_THAT(grey->bytes, ElementsAre(7, 8, 9));
  const auto clear = decode_image(png_of(1, 1, PNG_FORMAT_RGBA, {200, 200, 200, 0}));
  ASSERT_TRUE(clear) << clear.error().message;
  EXPECT_THAT(clear->bytes, ElementsAre(0, 0, 0));
}

TEST(ImageFile, ReadsJpeg) {
  const auto grey = decode_image(jpeg_of(9, 5, 1, {100}));
  ASSERT_TRUE(grey) << grey.error().message;
  EXPECT_EQ(grey->channels, 1U);
  EXPECT_EQ(grey->bytes.size(), 45U);
  EXPECT_THAT(grey->bytes, Each(100));
  const auto colour = decode_image(jpeg_of(8, 8, 3, {255, 0, 0}));
  ASSERT_TRUE(colour) << colour.error().message;
  EXPECT_EQ(colour->channels, 3U);
  EXPECT_NEAR(colour->bytes[0], 255, 2);
  EXPECT_NEAR(colour->bytes[1], 0, 2);
}

TEST(ImageFile, EveryCutOffFileIsRefused) {
  for (const std::string& whole : {std::string("P6 1 2 255\nabcdef"), png_of(5, 5, PNG_FORMAT_GRAY, std::vector<std::uint8_t>(25, 7)),
                                   jpeg_of(16, 16, 3, {9, 200, 30})}) {
    ASSERT_TRUE(decode_image(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto image = decode_image(std::string_view(whole).substr(0, size));
      // Only what stands behind the last pixel may be missing.
      if (image) {
        EXPECT_GT(size + 20, whole.size()) << whole.substr(0, 4);
      }
    }
  }
}

TEST(ImageFile, SaysWhatIsWrong) {
  EXPECT_THAT(decode_image("GIF89a").error().message, HasSubstr("begins with 'GIF89a', expected PGM, PPM, PNG or JPEG"));
  EXPECT_THAT(decode_image("P5 1 1 65535\nab").error().message, HasSubstr("values up to 65535"));
  EXPECT_THAT(decode_image("P5 99999999 99999999 255\nab").error().message, HasSubstr("bytes of pixels"));
  EXPECT_THAT(decode_image("P5 1").error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(decode_image("P5 0 7 255\n").error().message, HasSubstr("expected one at least"));
  EXPECT_EQ(blank_image(1U << 16U, 1U << 16U, 3).error().code, ErrorCode::kResourceExhausted);
}

TEST(ImageFile, TurnsGreyIntoColourAndBack) {
  const Image grey{.height = 1, .width = 2, .channels = 1, .bytes = {3, 250}};
  const Image colour = with_channels(grey, 3);
  EXPECT_THAT(colour.bytes, ElementsAre(3, 3, 3, 250, 250, 250));
  EXPECT_EQ(with_channels(colour, 1).bytes, grey.bytes);
  EXPECT_THAT(with_channels({.height = 1, .width = 1, .channels = 3, .bytes = {255, 0, 0}}, 1).bytes, ElementsAre(76));
}

}  // namespace
}  // namespace moru::edge
