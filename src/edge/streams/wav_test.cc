// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/wav.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "edge/streams/wav_for_test.h"

namespace moru::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::little_endian;
using testing::wav_bytes;

std::vector<float> decode(const std::string& bytes, std::int64_t channel = -1) {
  const auto format = parse_wav(bytes, bytes.size());
  EXPECT_TRUE(format) << format.error().message;
  if (!format) return {};
  std::vector<float> samples(format->frames);
  decode_wav(*format, std::string_view(bytes).substr(format->data_offset), channel, samples);
  return samples;
}

TEST(Wav, ReadsEveryCodingThatItSays) {
  EXPECT_THAT(decode(wav_bytes(1, 8000, 16, false, {0, 0x4000, 0x8000, 0xFFFF})), ElementsAre(0.0F, 0.5F, -1.0F, -1.0F / 32768));
  EXPECT_THAT(decode(wav_bytes(1, 8000, 24, false, {0x400000, 0x800000, 0xFFFFFF})), ElementsAre(0.5F, -1.0F, -1.0F / 8388608));
  EXPECT_THAT(decode(wav_bytes(1, 8000, 32, false, {0x40000000, 0x80000000})), ElementsAre(0.5F, -1.0F));
  EXPECT_THAT(decode(wav_bytes(1, 8000, 32, true, {std::bit_cast<std::uint32_t>(-0.25F)})), ElementsAre(-0.25F));
}

TEST(Wav, ChoosesAChannelOrTheMeanOfAll) {
  const std::string bytes = wav_bytes(2, 44'100, 16, false, {0x4000, 0x2000, 0xC000, 0x0000});
  EXPECT_THAT(decode(bytes, 0), ElementsAre(0.5F, -0.5F));
  EXPECT_THAT(decode(bytes, 1), ElementsAre(0.25F, 0.0F));
  EXPECT_THAT(decode(bytes), ElementsAre(0.375F, -0.25F));
  EXPECT_EQ(parse_wav(bytes, bytes.size())->rate_hz, 44'100U);
}

TEST(Wav, ReadsWhatWasWrittenToAPipeAndExtendedHeads) {
  std::string piped = wav_bytes(1, 8000, 16, false, {1, 2, 3});
  piped.replace(piped.find("data") + 4, 4, "\xFF\xFF\xFF\xFF");
  EXPECT_EQ(decode(piped).size(), 3U);
  const std::string guid("\x01\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xAA\x00\x38\x9B\x71", 16);
  const std::string format = little_endian(0xFFFE, 2) + little_endian(1, 2) + little_endian(8000, 4) + little_endian(16'000, 4) +
                             little_endian(2, 2) + little_endian(16, 2) + little_endian(22, 2) + little_endian(16, 2) +
                             little_endian(4, 4) + guid;
  const std::string body = "WAVEfmt " + little_endian(format.size(), 4) + format + "data" + little_endian(2, 4) + little_endian(0x4000, 2);
  EXPECT_THAT(decode("RIFF" + little_endian(body.size(), 4) + body), ElementsAre(0.5F));
}

TEST(Wav, EveryCutOffFileIsRefusedAndNoneReadsBeyondItsEnd) {
  const std::string bytes = wav_bytes(2, 8000, 24, false, {1, 2, 3, 4});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto format = parse_wav(std::string_view(bytes).substr(0, size), size);
    EXPECT_FALSE(format) << size;
    EXPECT_EQ(format.error().code, ErrorCode::kCorrupt);
  }
}

TEST(Wav, SaysWhatIsWrong) {
  const auto wrong = [](std::uint32_t channels, std::uint32_t rate_hz, std::uint32_t bits, bool is_float = false) {
    const std::string bytes = wav_bytes(channels, rate_hz, bits, is_float, {1, 2});
    const auto format = parse_wav(bytes, bytes.size());
    return format ? std::string() : format.error().message;
  };
  EXPECT_THAT(wrong(1, 8000, 8), HasSubstr("coding 1 of 8 bits"));
  EXPECT_THAT(wrong(1, 8000, 64, true), HasSubstr("coding 3 of 64 bits"));
  EXPECT_THAT(wrong(0, 8000, 16), HasSubstr("0 channels"));
  EXPECT_THAT(wrong(65, 8000, 16), HasSubstr("65 channels"));
  EXPECT_THAT(wrong(1, 0, 16), HasSubstr("no sample rate"));
  std::string odd = wav_bytes(1, 8000, 16, false, {1});
  odd[odd.find("fmt ") + 8 + 12] = 3;
  EXPECT_THAT(parse_wav(odd, odd.size()).error().message, HasSubstr("frames of 3 bytes, expected 2"));
  EXPECT_THAT(parse_wav("RIFX....WAVE", 12).error().message, HasSubstr("no RIFF head"));
}

}  // namespace
}  // namespace moru::edge
